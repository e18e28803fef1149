// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/open_handler.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/server/file_service.h"
#include "broker/server/given_devices.h"
#include "proto/openhook.pb.h"
#include "proto/version.h"

namespace openhook::server {

namespace {

constexpr std::string_view kServer = "openhookd " OPENHOOK_VERSION;

std::optional<Access> FromWire(proto::Access access) {
  switch (access) {
    case proto::ACCESS_READ:
      return Access::kRead;
    case proto::ACCESS_WRITE:
      return Access::kWrite;
    case proto::ACCESS_READ_WRITE:
      return Access::kReadWrite;
    default:
      return std::nullopt;
  }
}

OpenIntent FromWire(const proto::OpenRequest& request, Access access) {
  OpenIntent intent;
  intent.access = access;
  intent.direct = request.direct();
  intent.sync = request.sync();
  intent.data_sync = request.data_sync();
  intent.append = request.append();
  intent.truncate = request.truncate();
  intent.create = request.create();
  intent.exclusive = request.exclusive();
  intent.nonblock = request.nonblock();
  intent.no_follow = request.no_follow();
  intent.mode = request.mode();
  intent.other_flags = request.other_flags();
  intent.token = request.token();
  return intent;
}

std::string_view WordFor(const OpenIntent& intent) {
  if (intent.create || intent.truncate) {
    return intent.create ? "create" : "truncate";
  }
  return ToString(intent.access);
}

proto::Outcome ToWire(Answer::Kind kind) {
  switch (kind) {
    case Answer::Kind::kOk:
      return proto::OUTCOME_OK;
    case Answer::Kind::kDenied:
      return proto::OUTCOME_DENIED;
    case Answer::Kind::kFailed:
      return proto::OUTCOME_FAILED;
    case Answer::Kind::kNotMine:
      return proto::OUTCOME_NOT_MINE;
  }
  return proto::OUTCOME_FAILED;
}

void FillStat(const struct stat& from, proto::StatReply* to) {
  to->set_dev(from.st_dev);
  to->set_ino(from.st_ino);
  to->set_mode(from.st_mode);
  to->set_nlink(static_cast<std::uint32_t>(from.st_nlink));
  to->set_uid(from.st_uid);
  to->set_gid(from.st_gid);
  to->set_rdev(from.st_rdev);
  to->set_size(from.st_size);
  to->set_blksize(static_cast<std::uint32_t>(from.st_blksize));
  to->set_blocks(from.st_blocks);
  to->set_atime_sec(from.st_atim.tv_sec);
  to->set_atime_nsec(static_cast<std::uint32_t>(from.st_atim.tv_nsec));
  to->set_mtime_sec(from.st_mtim.tv_sec);
  to->set_mtime_nsec(static_cast<std::uint32_t>(from.st_mtim.tv_nsec));
  to->set_ctime_sec(from.st_ctim.tv_sec);
  to->set_ctime_nsec(static_cast<std::uint32_t>(from.st_ctim.tv_nsec));
}

audit::Event MakeEvent(audit::Operation operation, std::string path, std::string_view access,
                       const Answer& answer, SharedSubject subject) {
  const whitelist::RuleText& text = TextOf(answer.rule);
  audit::Event event;
  event.operation = operation;
  event.path = std::move(path);
  event.access = access;
  event.rule = text.word;
  event.leases = answer.leases;
  event.subject = std::move(subject);
  if (answer.kind == Answer::Kind::kOk) {
    event.outcome = audit::Outcome::kAllow;
    return event;
  }
  event.outcome =
      answer.kind == Answer::Kind::kDenied ? audit::Outcome::kDeny : audit::Outcome::kFail;
  if (answer.kind == Answer::Kind::kDenied) {
    event.remedy = text.remedy;
    event.reason = answer.detail.empty() ? std::string(text.reason)
                                         : std::string(text.reason) + " (" + answer.detail + ")";
  } else {
    event.reason = answer.detail;
  }
  return event;
}

// One path of a request as the audit log files it: the string asked for, with the directory that a
// relative one is meant in.
std::string AskedPath(const std::string& path, const std::string& cwd) {
  if (!path.empty() && path.front() == '/') {
    return path;
  }
  return (cwd == "/" ? "" : cwd) + "/" + path;
}

class OpenHandler : public PacketHandler {
 public:
  OpenHandler(Broker* broker, const Result<Peer>& peer) : broker_(broker) {
    auto subject = std::make_shared<audit::Subject>();
    if (peer) {
      label_ = broker->labels().Identify({peer->pid, &peer->pidfd, peer->label});
      *subject = {peer->pid, peer->uid, peer->gid, label_->text()};
    }
    subject_ = std::move(subject);
    const auto checked = peer ? CheckPeer(*peer, {broker->options().vm_uid, {}}).and_then([this] {
      return label_->Confirm();
    })
                              : Result<void>(tl::make_unexpected(peer.error()));
    if (!checked) {
      refusal_ = checked.error().Message();
      RecordRefusal();
      return;
    }
    broker_->AddSession(peer->pid);
    session_ = peer->pid;
    if (broker_->devices() != nullptr) {
      Identify(*peer);
    }
  }

  ~OpenHandler() override {
    if (session_) {
      broker_->RemoveSession(*session_);
    }
  }
  OpenHandler(const OpenHandler&) = delete;
  OpenHandler& operator=(const OpenHandler&) = delete;

  void Handle(std::span<const std::uint8_t> packet, const Respond& respond) override {
    respond_ = &respond;
    reply_.Clear();
    if (!request_.ParseFromArray(packet.data(), static_cast<int>(packet.size()))) {
      return Refuse(proto::OUTCOME_BAD_REQUEST, EINVAL, "the packet is not a request");
    }
    reply_.set_id(request_.id());
    Dispatch();
  }

 private:
  void Identify(const Peer& peer) {
    if (const auto client = fs::IdOf(peer.pid, peer.pidfd)) {
      client_ = *client;
      broker_->devices()->Know(*client_);
    }
  }

  void Dispatch() {
    if (!refusal_.empty()) {
      return Refuse(proto::OUTCOME_DENIED, EACCES, refusal_);
    }
    // Asked again each time: a process may execute another program, or change its profile, with its
    // connection kept.
    if (const auto confirmed = label_->Confirm(); !confirmed) {
      refusal_ = confirmed.error().Message();
      RecordRefusal();
      return Refuse(proto::OUTCOME_DENIED, EACCES, refusal_);
    }
    if (request_.has_hello()) {
      return Greet(request_.hello());
    }
    if (!greeted_) {
      return Refuse(proto::OUTCOME_BAD_REQUEST, EPROTO, "the first request must be Hello");
    }
    switch (request_.body_case()) {
      case proto::Request::kOpen:
        return HandleOpen(request_.open());
      case proto::Request::kStat:
        return HandleStat(request_.stat());
      case proto::Request::kAccess:
        return HandleAccess(request_.access());
      case proto::Request::kUnlink:
        return HandleUnlink(request_.unlink());
      default:
        reply_.set_outcome(proto::OUTCOME_UNSUPPORTED);
        reply_.set_sys_errno(ENOSYS);
        reply_.set_reason("this broker does not know the request");
        Reply({});
    }
  }

  void Refuse(proto::Outcome outcome, int sys_errno, std::string_view reason) {
    reply_.set_outcome(outcome);
    reply_.set_sys_errno(sys_errno);
    reply_.set_reason(std::string(reason.substr(0, 255)));
    Reply({.after = AfterReply::kClose});
  }

  void Reply(Reaction reaction) {
    reply_.set_descriptor(reaction.fd.has_value() || reaction.held.has_value());
    reply_.SerializeToString(&reaction.reply);
    (*respond_)(std::move(reaction));
  }

  void Greet(const proto::Hello& hello) {
    if (hello.min_version() > kProtocolVersion || hello.max_version() < kProtocolVersion) {
      return Refuse(proto::OUTCOME_UNSUPPORTED, EPROTO, "this broker speaks protocol version 1");
    }
    greeted_ = true;
    reply_.set_outcome(proto::OUTCOME_OK);
    auto* body = reply_.mutable_hello();
    body->set_version(kProtocolVersion);
    body->set_max_packet(limits::kMaxOpenPacket);
    body->set_vm(broker_->options().vm);
    body->set_server(std::string(kServer));
    Reply({});
  }

  // The request stays as it is until it is answered, so what is asked need not be copied.
  template <class Request>
  whitelist::AskedName Note(audit::Operation operation, const Request& request,
                            std::string_view access) {
    asked_ = {operation, &request.path(), &request.cwd(), access};
    return {request.path(), request.cwd()};
  }

  [[nodiscard]] Asking Asker() const { return {broker_, label_.get()}; }

  // A session keeps its handler until the request is answered.
  AnswerDone WhenDone() {
    return [this](Answer answer) { Finish(std::move(answer)); };
  }

  void HandleOpen(const proto::OpenRequest& request) {
    const auto access = FromWire(request.access());
    if (!access) {
      return Refuse(proto::OUTCOME_BAD_REQUEST, EINVAL, "the request has no known access");
    }
    const OpenIntent intent = FromWire(request, *access);
    const auto name = Note(audit::Operation::kOpen, request, WordFor(intent));
    if (broker_->devices() == nullptr || !client_) {
      return Open(Asker(), name, intent, WhenDone());
    }
    Open(Asker(), name, intent, [this, name, intent](Answer answer) {
      MayBeAttached(answer) ? TakeAttached(name, intent, std::move(answer))
                            : Finish(std::move(answer));
    });
  }

  // A device that is on no list, or was detached and has come back.
  static bool MayBeAttached(const Answer& answer) {
    return answer.kind == Answer::Kind::kDenied &&
           (answer.rule == whitelist::Rule::kNotWhitelisted ||
            answer.rule == whitelist::Rule::kLeaseEnded);
  }

  void TakeAttached(const whitelist::AskedName& name, const OpenIntent& intent, Answer denied) {
    broker_->devices()->Take(
        LexicalClean(name.path, name.cwd).value_or(""), intent.access, *client_, subject_,
        [this, name, intent,
         denied = std::make_shared<Answer>(std::move(denied))](GivenDevices::Taken taken) {
          taken == GivenDevices::Taken::kYes ? Open(Asker(), name, intent, WhenDone())
                                             : Finish(std::move(*denied));
        });
  }

  void HandleStat(const proto::StatRequest& request) {
    Stat(Asker(), Note(audit::Operation::kStat, request, ""), WhenDone());
  }

  void HandleAccess(const proto::AccessRequest& request) {
    const whitelist::AskedAccess asked{request.read(), request.write(), request.execute()};
    const std::string_view word = asked.execute ? "execute" : asked.write ? "write" : "read";
    CheckAccess(Asker(), Note(audit::Operation::kAccess, request, word), asked, WhenDone());
  }

  void HandleUnlink(const proto::UnlinkRequest& request) {
    Unlink(Asker(), Note(audit::Operation::kUnlink, request, ""), WhenDone());
  }

  void Finish(Answer answer) {
    reply_.set_outcome(ToWire(answer.kind));
    reply_.set_sys_errno(answer.kind == Answer::Kind::kOk ? 0 : answer.sys_errno);
    if (answer.kind == Answer::Kind::kDenied) {
      reply_.set_reason(std::string(TextOf(answer.rule).reason));
    }
    if (answer.attributes) {
      FillStat(*answer.attributes, reply_.mutable_stat());
    }
    // System files are not decisions of ours; to record them would only bury those that are.
    if (answer.kind != Answer::Kind::kNotMine) {
      broker_->audit().Record(MakeEvent(asked_.operation, AskedPath(*asked_.path, *asked_.cwd),
                                        asked_.access, answer, subject_));
    }
    Reply({.fd = std::move(answer.fd), .held = std::move(answer.held), .file = answer.file});
  }

  void RecordRefusal() {
    audit::Event event;
    event.operation = audit::Operation::kConnect;
    event.outcome = audit::Outcome::kDeny;
    event.rule = "peer";
    event.reason = refusal_;
    event.remedy =
        "QEMU must run as the broker's --vm-user, and with the label that openhookctl status names";
    event.subject = subject_;
    broker_->audit().Record(std::move(event));
  }

  Broker* broker_;
  std::unique_ptr<label::PeerLabel> label_;
  SharedSubject subject_;
  std::string refusal_;
  std::optional<pid_t> session_;
  std::optional<fs::ProcessId> client_;
  bool greeted_ = false;
  // Kept between packets, so that the usual request allocates next to nothing.
  proto::Request request_;
  proto::Reply reply_;
  const Respond* respond_ = nullptr;
  // What the audit log files the answer under.
  struct {
    audit::Operation operation;
    const std::string* path;
    const std::string* cwd;
    std::string_view access;
  } asked_{};
};

}  // namespace

std::unique_ptr<PacketHandler> MakeOpenHandler(Broker* broker, const Result<Peer>& peer) {
  return std::make_unique<OpenHandler>(broker, peer);
}

}  // namespace openhook::server
