// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/feed_client.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "proto/bundle.h"
#include "proto/feed.pb_c.h"

namespace openhook::libvirt {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{20};
// Of a conversation that the broker ended: it may be back in a moment.
constexpr ErrorCode kLost = ErrorCode::kIo;

int MillisecondsUntil(Deadline deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::max<decltype(left)>(left, 0));
}

tl::unexpected<Error> NoAnswer(const std::string& why, ErrorCode code = ErrorCode::kUnavailable) {
  return Fail(code, "the machine's broker " + why +
                        "; 'openhookctl status' and the broker's log tell more");
}

// A broker that restarts is back in a moment; one without a socket was never there.
Result<UniqueFd> ConnectOnce(const sockaddr_un& address, int* sys_errno) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.IsValid()) {
    return FailErrno(errno, "cannot make a socket");
  }
  *sys_errno =
      ::connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0
          ? 0
          : errno;
  return socket;
}

bool IsAbsent(int sys_errno) { return sys_errno == ENOENT || sys_errno == ENOTDIR; }

bool Await(const UniqueFd& socket, short events, Deadline deadline) {
  pollfd waiting{socket.Get(), events, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, MillisecondsUntil(deadline));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

bool HasEnded(BundleStatus status) {
  return status == BundleStatus::kClosed || status == BundleStatus::kFailed;
}

tl::unexpected<Error> Fault(BundleStatus status) {
  return HasEnded(status) ? NoAnswer("ended the conversation without an answer", kLost)
                          : NoAnswer("does not keep to the protocol");
}

Result<void> Judge(const openhook_proto_FeedReply& reply) {
  if (reply.outcome == openhook_proto_Outcome_OUTCOME_OK) {
    return {};
  }
  return Fail(ErrorCode::kPermission, OneLine(reply.reason));
}

}  // namespace

Result<std::optional<FeedClient>> FeedClient::Connect(const std::string& socket_path,
                                                      Deadline deadline) {
  if (socket_path.size() >= sizeof(sockaddr_un::sun_path)) {
    return std::optional<FeedClient>();  // a broker could not have made it either
  }
  FeedClient client(socket_path, deadline);
  return client.Reach().map([&](Reached reached) {
    return reached == Reached::kBroker ? std::optional(std::move(client)) : std::nullopt;
  });
}

Result<FeedClient::Reached> FeedClient::Reach() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(socket_path_.begin(), socket_path_.end(), address.sun_path);
  while (true) {
    int sys_errno = 0;
    auto socket = ConnectOnce(address, &sys_errno);
    if (!socket) {
      return tl::make_unexpected(socket.error());
    }
    if (IsAbsent(sys_errno) && !socket_.IsValid()) {
      return Reached::kNobody;
    }
    if (sys_errno == 0) {
      socket_ = std::move(*socket);
      auto greeted = Greet();
      if (greeted || greeted.error().code != kLost) {
        return greeted.map([] { return Reached::kBroker; });
      }
    }
    if (Clock::now() + kPause >= deadline_) {
      return NoAnswer("does not take connections at " + Quote(socket_path_) + " (" +
                      std::strerror(sys_errno == 0 ? ECONNRESET : sys_errno) + ")");
    }
    std::this_thread::sleep_for(kPause);
  }
}

template <class Request>
Result<void> FeedClient::Call(const Request& request) {
  std::vector<std::uint8_t> packet(limits::kMaxOpenPacket);
  pb_ostream_t out = pb_ostream_from_buffer(packet.data(), packet.size());
  if (!pb_encode(&out, openhook_proto_FeedRequest_fields, &request)) {
    return Fail(ErrorCode::kLimit, "the announcement does not fit into a packet");
  }
  if (!Await(socket_, POLLOUT, deadline_)) {
    return NoAnswer("does not take what libvirt announces");
  }
  const BundleStatus sent =
      SendBundle(socket_.Get(), packet.data(), out.bytes_written, WaitMode::kDontWait).status;
  if (sent != BundleStatus::kOk) {
    return Fault(sent);
  }
  if (!Await(socket_, POLLIN, deadline_)) {
    return NoAnswer("did not answer in time");
  }
  std::vector<std::uint8_t> bytes(limits::kMaxControlPacket);
  const ReceivedBundle got = ReceiveBundle(socket_.Get(), bytes.data(), bytes.size(),
                                           DescriptorRule::kNone, WaitMode::kDontWait);
  if (got.status != BundleStatus::kOk) {
    return Fault(got.status);
  }
  const auto reply = std::make_unique<openhook_proto_FeedReply>();
  pb_istream_t in = pb_istream_from_buffer(bytes.data(), got.size);
  if (!pb_decode(&in, openhook_proto_FeedReply_fields, reply.get()) || reply->id != request.id) {
    return NoAnswer("does not keep to the protocol");
  }
  return Judge(*reply);
}

Result<void> FeedClient::Greet() {
  const auto request = std::make_unique<openhook_proto_FeedRequest>();
  request->id = ++last_id_;
  request->which_body = openhook_proto_FeedRequest_hello_tag;
  request->body.hello.min_version = 1;
  request->body.hello.max_version = 1;
  constexpr std::string_view kProgram = "libvirt";
  std::copy(kProgram.begin(), kProgram.end(), request->body.hello.program);
  return Call(*request);
}

Result<void> FeedClient::Announce(What what, Whose whose, const Image& image, int pid) {
  const auto request = std::make_unique<openhook_proto_FeedRequest>();
  request->id = ++last_id_;
  request->which_body = openhook_proto_FeedRequest_announcement_tag;
  auto& announcement = request->body.announcement;
  announcement.kind = what == What::kAcquired
                          ? openhook_proto_AnnouncementKind_ANNOUNCEMENT_KIND_ACQUIRED
                          : openhook_proto_AnnouncementKind_ANNOUNCEMENT_KIND_RELEASED;
  if (image.path.size() > sizeof(announcement.path.bytes)) {
    return Fail(ErrorCode::kLimit, "the name " + Quote(image.path) + " is longer than a path");
  }
  announcement.path.size = static_cast<pb_size_t>(image.path.size());
  std::copy(image.path.begin(), image.path.end(), announcement.path.bytes);
  announcement.write = image.write;
  announcement.shareable = image.shareable;
  announcement.whole_machine = whose == Whose::kWholeMachine;
  announcement.pid = pid;
  // To say it twice does no harm.
  auto told = Call(*request);
  while (!told && told.error().code == kLost) {
    if (auto back = Reach(); !back) {
      return tl::make_unexpected(back.error());
    }
    request->id = ++last_id_;
    told = Call(*request);
  }
  return told;
}

}  // namespace openhook::libvirt
