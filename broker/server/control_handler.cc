// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/control_handler.h"

#include <set>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/server/control_messages.h"
#include "broker/server/feed.h"
#include "broker/server/file_service.h"
#include "broker/server/job_requests.h"
#include "broker/server/kernel_step.h"
#include "broker/server/status_reply.h"
#include "proto/version.h"

namespace openhook::server {

namespace {

constexpr std::size_t kExplainEvents = 10;
// What the lock driver has room for (proto/feed.proto).
constexpr std::size_t kMaxAnnouncementReason = 1900;
// Room for what a reply holds beside its list.
constexpr std::size_t kReplyOverhead = 1024;
constexpr std::size_t kMaxListBytes = limits::kMaxControlPacket - kReplyOverhead;

class ControlHandler : public PacketHandler {
 public:
  ControlHandler(Broker* broker, const Result<Peer>& peer, PushPacket push, FillStatus fill_status)
      : broker_(broker),
        push_(std::move(push)),
        fill_status_(std::move(fill_status)),
        demanded_label_(broker->labels().Demanded()) {
    auto subject = std::make_shared<audit::Subject>();
    if (peer) {
      *subject = {peer->pid, peer->uid, peer->gid, peer->label.value_or("")};
    }
    subject_ = std::move(subject);
    const auto checked = peer ? CheckPeer(*peer, {::geteuid(), broker->options().control_group})
                              : Result<void>(tl::make_unexpected(peer.error()));
    if (!checked) {
      refusal_ = checked.error().Message();
      RecordRefusal();
    }
  }

  ~ControlHandler() override { StopWatching(); }
  ControlHandler(const ControlHandler&) = delete;
  ControlHandler& operator=(const ControlHandler&) = delete;

  void Handle(std::span<const std::uint8_t> packet, const Respond& respond) override {
    respond_ = &respond;
    reply_.Clear();
    proto::ControlRequest request;
    std::optional<AfterReply> after;
    if (!request.ParseFromArray(packet.data(), static_cast<int>(packet.size()))) {
      after =
          Refuse(proto::OUTCOME_BAD_REQUEST, "bad-request", "the packet is not a request", &reply_);
    } else {
      reply_.set_id(request.id());
      after = Dispatch(request, &reply_);
    }
    if (after) {
      Reply(*after);
    }
  }

 private:
  void Reply(AfterReply after) {
    Reaction reaction{.after = after};
    reply_.SerializeToString(&reaction.reply);
    (*respond_)(std::move(reaction));
  }

  // Nothing for a request that replies itself, perhaps later.
  std::optional<AfterReply> Dispatch(const proto::ControlRequest& request,
                                     proto::ControlReply* reply) {
    if (!refusal_.empty()) {
      return Refuse(proto::OUTCOME_DENIED, "permission", refusal_, reply);
    }
    if (request.has_hello()) {
      return Greet(request.hello(), reply);
    }
    if (!greeted_) {
      return Refuse(proto::OUTCOME_BAD_REQUEST, "bad-request", "the first request must be Hello",
                    reply);
    }
    reply->set_outcome(proto::OUTCOME_OK);
    switch (request.body_case()) {
      case proto::ControlRequest::kGrant:
        Grant(request.grant());
        return std::nullopt;
      case proto::ControlRequest::kRevoke:
        Revoke(request.revoke());
        return std::nullopt;
      case proto::ControlRequest::kList:
        List(request.list(), reply->mutable_list());
        break;
      case proto::ControlRequest::kStatus:
        Status(reply->mutable_status());
        break;
      case proto::ControlRequest::kExplain:
        Explain(request.explain());
        return std::nullopt;
      case proto::ControlRequest::kWatch:
        Watch(request.id(), request.watch(), reply->mutable_watch());
        break;
      case proto::ControlRequest::kJobBegin:
        Begin(request.job_begin());
        return std::nullopt;
      case proto::ControlRequest::kJobEnd:
        End(request.job_end());
        return std::nullopt;
      case proto::ControlRequest::kJobList:
        ListJobs(*broker_, request.job_list(), kMaxListBytes, reply->mutable_job_list());
        break;
      case proto::ControlRequest::kAnnouncement:
        Announce(request.announcement());
        return std::nullopt;
      case proto::ControlRequest::kHolders:
        Finish(FindHolders(*broker_, request.holders(), reply->mutable_holders()), reply);
        break;
      case proto::ControlRequest::kChainList:
        ListChains(*broker_, request.chain_list(), kMaxListBytes, reply->mutable_chain_list());
        break;
      default:
        reply->set_outcome(proto::OUTCOME_UNSUPPORTED);
        reply->set_code("unsupported");
        reply->set_reason("this broker does not know the request; is it older than the client?");
        break;
    }
    return AfterReply::kContinue;
  }

  static AfterReply Refuse(proto::Outcome outcome, std::string_view code, std::string_view reason,
                           proto::ControlReply* reply) {
    reply->set_outcome(outcome);
    reply->set_code(std::string(code));
    reply->set_reason(std::string(reason));
    return AfterReply::kClose;
  }

  static void Fail(const Error& error, proto::ControlReply* reply) {
    reply->set_outcome(proto::OUTCOME_FAILED);
    reply->set_code(std::string(ToString(error.code)));
    reply->set_reason(error.Message());
  }

  // A request that failed has no body but the reason. True: it did not.
  static bool Finish(const Result<void>& done, proto::ControlReply* reply) {
    if (!done) {
      reply->clear_body();
      Fail(done.error(), reply);
    }
    return done.has_value();
  }

  AfterReply Greet(const proto::Hello& hello, proto::ControlReply* reply) {
    if (hello.min_version() > kProtocolVersion || hello.max_version() < kProtocolVersion) {
      return Refuse(proto::OUTCOME_UNSUPPORTED, "unsupported",
                    "this broker speaks protocol version 1", reply);
    }
    greeted_ = true;
    reply->set_outcome(proto::OUTCOME_OK);
    auto* body = reply->mutable_hello();
    body->set_version(kProtocolVersion);
    body->set_max_packet(limits::kMaxControlPacket);
    body->set_vm(broker_->options().vm);
    body->set_server("openhookd " OPENHOOK_VERSION);
    return AfterReply::kContinue;
  }

  void Grant(const proto::GrantRequest& request) {
    const auto wanted = FromWire(request.grants());
    if (!wanted) {
      Fail(wanted.error(), &reply_);
      return Reply(AfterReply::kContinue);
    }
    const whitelist::WantedChain chain{request.disk(), request.lease(), request.disk_writable(),
                                       request.accept_drift() ? whitelist::WhenDrifted::kAccept
                                                              : whitelist::WhenDrifted::kAskPolicy};
    // A session keeps its handler until the request is answered.
    broker_->Resolve(chain.lease, *wanted, [this, chain, wanted](Broker::Resolved resolved) {
      ChangeInStep(
          broker_, [&] { return broker_->Preview(chain, resolved); },
          [this, chain, wanted, resolved](const Result<void>& widened) {
            auto grants = widened ? resolved : tl::make_unexpected(widened.error());
            return FinishGrant(
                chain.disk.empty()
                    ? broker_->GrantResolved(chain.lease, *wanted, std::move(grants), subject_)
                    : broker_->GrantChainResolved(chain, *wanted, std::move(grants), subject_));
          },
          Acknowledge());
    });
  }

  static Result<whitelist::Change> TakesOnly() { return whitelist::Change(); }

  // The reply to a change, once the kernel follows it.
  KernelStep::Settled Acknowledge() {
    return [this](const Result<void>& settled) {
      if (!settled && reply_.outcome() == proto::OUTCOME_OK) {
        Error error = settled.error();
        error.context =
            "the whitelist is changed, but not yet what the kernel enforces, which "
            "openhookd goes on trying to change: " +
            error.context;
        Finish(tl::make_unexpected(std::move(error)), &reply_);
      }
      Reply(AfterReply::kContinue);
    };
  }

  void Begin(const proto::JobBeginRequest& request) {
    const auto wanted = WantedJobFrom(request, subject_);
    if (!wanted) {
      Fail(wanted.error(), &reply_);
      return Reply(AfterReply::kContinue);
    }
    broker_->Resolve("", wanted->targets, [this, wanted](Broker::Resolved targets) {
      ChangeInStep(
          broker_, [&] { return broker_->Preview(*wanted, targets); },
          [this, wanted, targets](const Result<void>& widened) {
            return Finish(
                BeginJob(broker_, *wanted, widened ? targets : tl::make_unexpected(widened.error()),
                         subject_, reply_.mutable_job()),
                &reply_);
          },
          Acknowledge());
    });
  }

  void End(const proto::JobEndRequest& request) {
    ChangeInStep(
        broker_, TakesOnly,
        [this, request](const Result<void>&) {
          return Finish(EndJob(broker_, request, subject_, reply_.mutable_job()), &reply_);
        },
        Acknowledge());
  }

  bool FinishGrant(const Result<whitelist::Change>& change) {
    if (!change) {
      Fail(change.error(), &reply_);
      return false;
    }
    // As many as fit; the generation tells that there was more to a change than its list.
    FillChange(change->generation, *change, kMaxListBytes, reply_.mutable_change());
    return true;
  }

  void Revoke(const proto::RevokeRequest& request) {
    ChangeInStep(
        broker_, TakesOnly,
        [this, request](const Result<void>&) { return RevokeNow(request, &reply_); },
        Acknowledge());
  }

  bool RevokeNow(const proto::RevokeRequest& request, proto::ControlReply* reply) {
    const auto taken = broker_->Revoke(request.lease(),
                                       {request.paths().begin(), request.paths().end()}, subject_);
    if (!taken) {
      Fail(taken.error(), reply);
      return false;
    }
    whitelist::Change shown;
    shown.added = taken->grants;
    shown.added.insert(shown.added.end(), taken->still_held.begin(), taken->still_held.end());
    FillChange(broker_->whitelist().generation(), shown, kMaxListBytes, reply->mutable_change());
    return true;
  }

  void Announce(const proto::Announcement& announcement) {
    if (broker_->feed() == nullptr) {
      Finish(openhook::Fail(ErrorCode::kUnavailable, "this broker is ending"), &reply_);
      return Reply(AfterReply::kContinue);
    }
    broker_->feed()->Take(announcement, subject_, [this](const Result<void>& taken) {
      if (!Finish(taken, &reply_)) {
        reply_.set_reason(reply_.reason().substr(0, kMaxAnnouncementReason));
      }
      Reply(AfterReply::kContinue);
    });
  }

  void List(const proto::ListRequest& request, proto::ListReply* reply) {
    const auto& grants = broker_->whitelist().grants();
    reply->set_generation(broker_->whitelist().generation());
    std::size_t bytes = 0;
    for (auto it = grants.upper_bound(request.after_id()); it != grants.end(); ++it) {
      proto::GrantInfo info;
      ToWire(it->second, &info);
      bytes += info.ByteSizeLong() + 8;
      const bool full =
          request.limit() != 0 && reply->grants_size() >= static_cast<int>(request.limit());
      if (bytes >= kMaxListBytes || full) {
        reply->set_more(true);
        return;
      }
      *reply->add_grants() = std::move(info);
    }
  }

  void Status(proto::StatusReply* reply) {
    FillBrokerStatus(broker_, reply);
    fill_status_(reply);
  }

  void Explain(const proto::ExplainRequest& request) {
    OpenIntent intent;
    intent.access = request.write() || request.create() ? Access::kReadWrite : Access::kRead;
    intent.create = request.create();
    ExplainOpen({broker_, demanded_label_.get()}, {request.path(), ""}, intent,
                [this, path = request.path()](const Answer& answer) {
                  FinishExplain(path, answer, reply_.mutable_explain());
                  Reply(AfterReply::kContinue);
                });
  }

  void FinishExplain(const std::string& path, const Answer& answer, proto::ExplainReply* reply) {
    const whitelist::RuleText& text = TextOf(answer.rule);
    reply->set_allow(answer.kind == Answer::Kind::kOk);
    reply->set_rule(std::string(text.word));
    reply->set_reason(std::string(text.reason) +
                      (answer.detail.empty() ? "" : " (" + answer.detail + ")"));
    if (answer.kind == Answer::Kind::kDenied) {
      reply->set_remedy(std::string(text.remedy));
    }
    AddGrantsOf(path, reply);
    const auto concerns = [&](const audit::Event& event) { return event.path == path; };
    for (const audit::Event& event : broker_->audit().About(concerns, kExplainEvents)) {
      ToWire(event, reply->add_recent());
    }
  }

  void AddGrantsOf(const std::string& path, proto::ExplainReply* reply) {
    const auto clean = LexicalClean(path, "");
    const auto found = clean ? broker_->whitelist().Find(*clean) : whitelist::Whitelist::Found();
    if (found.entry == nullptr) {
      return;
    }
    for (const whitelist::Grant* grant : broker_->whitelist().GrantsOf(found.entry->path)) {
      ToWire(*grant, reply->add_grants());
    }
  }

  // The reply holds the past, and each later event is a packet of its own. Pushing the past too
  // would overrun the socket's buffer, and with it the watcher.
  void Watch(std::uint64_t id, const proto::WatchRequest& request, proto::WatchReply* reply) {
    AddPast(request.last(), reply);
    StopWatching();
    if (request.follow()) {
      watcher_ =
          broker_->audit().Watch([this, id](const audit::Event& event) { PushEvent(id, event); });
    }
    reply->set_end(!request.follow());
  }

  // The newest that fit into one packet, oldest first.
  void AddPast(std::size_t count, proto::WatchReply* reply) {
    const std::vector<audit::Event> past = broker_->audit().Last(count);
    std::vector<proto::Event> fitting;
    std::size_t bytes = 0;
    for (auto event = past.rbegin(); event != past.rend(); ++event) {
      proto::Event message;
      ToWire(*event, &message);
      bytes += message.ByteSizeLong() + 8;
      if (bytes >= kMaxListBytes) {
        break;
      }
      fitting.push_back(std::move(message));
    }
    for (auto message = fitting.rbegin(); message != fitting.rend(); ++message) {
      *reply->add_events() = std::move(*message);
    }
  }

  void PushEvent(std::uint64_t id, const audit::Event& event) {
    proto::ControlReply message;
    message.set_id(id);
    message.set_outcome(proto::OUTCOME_OK);
    ToWire(event, message.mutable_watch()->add_events());
    // A watcher that reads too slowly misses events; the numbers tell it.
    (void)push_(message.SerializeAsString());
  }

  void StopWatching() {
    if (watcher_) {
      broker_->audit().Unwatch(*watcher_);
      watcher_.reset();
    }
  }

  void RecordRefusal() {
    audit::Event event;
    event.operation = audit::Operation::kConnect;
    event.outcome = audit::Outcome::kDeny;
    event.access = "control";
    event.rule = "peer";
    event.reason = refusal_;
    event.remedy = "use root, or a member of the group named by --control-group";
    event.subject = subject_;
    broker_->audit().Record(std::move(event));
  }

  Broker* broker_;
  PushPacket push_;
  FillStatus fill_status_;
  std::unique_ptr<label::PeerLabel> demanded_label_;  // what Explain asks for
  SharedSubject subject_;
  std::string refusal_;
  bool greeted_ = false;
  proto::ControlReply reply_;
  const Respond* respond_ = nullptr;
  std::optional<audit::AuditLog::WatcherId> watcher_;
};

}  // namespace

std::unique_ptr<PacketHandler> MakeControlHandler(Broker* broker, const Result<Peer>& peer,
                                                  PushPacket push, FillStatus fill_status) {
  return std::make_unique<ControlHandler>(broker, peer, std::move(push), std::move(fill_status));
}

}  // namespace openhook::server
