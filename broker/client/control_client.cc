// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/client/control_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "broker/base/text.h"
#include "broker/client/socket_owner.h"
#include "proto/bundle.h"
#include "proto/version.h"

namespace openhook::client {

namespace {

// Longer than any deadline of the broker itself: when this one passes, the broker is stuck.
constexpr time_t kReplySeconds = 60;

// What the usual errnos mean to an administrator, instead of their own texts.
Error ConnectError(int sys_errno, const std::string& socket_path) {
  const std::string socket = Quote(socket_path);
  switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
      return {ErrorCode::kNotFound, 0,
              fmt::format("no broker of this VM is running: there is no socket {}; start one with "
                          "'openhookd --vm UUID', or name another place with --run-dir or --socket",
                          socket)};
    case ECONNREFUSED:
      return {ErrorCode::kUnavailable, 0,
              fmt::format("the broker has ended without removing its socket {}; start it again "
                          "with 'openhookd --vm UUID'",
                          socket)};
    case EACCES:
    case EPERM:
      return {ErrorCode::kPermission, 0,
              fmt::format("you may not use {}; {}", socket, DescribeWhoMayUse(socket_path))};
    case EPROTOTYPE:
      return {ErrorCode::kInvalidArgument, 0,
              fmt::format("{} is not the control socket of a broker", socket)};
    default:
      return ErrnoError(sys_errno, fmt::format("cannot connect to {}", socket));
  }
}

Result<UniqueFd> ConnectSocket(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the socket name {} is longer than the {} bytes that the kernel takes; "
                            "choose a shorter --run-dir",
                            Quote(socket_path), sizeof(address.sun_path) - 1));
  }
  std::copy(socket_path.begin(), socket_path.end(), address.sun_path);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.IsValid()) {
    return FailErrno(errno, "cannot make a socket");
  }
  const timeval deadline{kReplySeconds, 0};
  ::setsockopt(socket.Get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
  ::setsockopt(socket.Get(), SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
  if (::connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return tl::make_unexpected(ConnectError(errno, socket_path));
  }
  return socket;
}

Error LostConnection() {
  return {ErrorCode::kUnavailable, 0,
          "the broker closed the connection without an answer; its log says why"};
}

Error ReceiveError(const ReceivedBundle& bundle) {
  switch (bundle.status) {
    case BundleStatus::kClosed:
      return LostConnection();
    case BundleStatus::kAgain:
      return {ErrorCode::kUnavailable, 0,
              fmt::format("the broker did not answer within {} s", kReplySeconds)};
    case BundleStatus::kFailed:
      return ErrnoError(bundle.sys_errno, "cannot read the broker's answer");
    default:
      return {
          ErrorCode::kCorrupt, 0,
          "the broker sent a packet that breaks the protocol (too large, or with a descriptor)"};
  }
}

std::string_view OutcomeWord(proto::Outcome outcome) {
  switch (outcome) {
    case proto::OUTCOME_DENIED:
      return "the broker refused";
    case proto::OUTCOME_FAILED:
      return "not done";
    case proto::OUTCOME_BAD_REQUEST:
      return "the broker did not understand the request";
    case proto::OUTCOME_UNSUPPORTED:
      return "this broker cannot do that";
    default:
      return "the broker gave an answer that this program does not know, so it counts as a failure";
  }
}

Result<proto::ControlReply> RequireOk(proto::ControlReply reply) {
  if (reply.outcome() == proto::OUTCOME_OK) {
    return reply;
  }
  std::string text(OutcomeWord(reply.outcome()));
  if (!reply.reason().empty()) {
    text += ": " + OneLine(reply.reason());
  }
  if (!reply.code().empty()) {
    text += " [" + Escape(reply.code()) + "]";
  }
  return Fail(ErrorCode::kPermission, std::move(text));
}

}  // namespace

Result<ControlClient> ControlClient::Connect(const std::string& socket_path,
                                             const std::string& program) {
  Result<UniqueFd> socket = ConnectSocket(socket_path);
  if (!socket) {
    return tl::make_unexpected(std::move(socket).error());
  }
  ControlClient client(std::move(*socket), socket_path);
  Result<void> greeted = client.Greet(program);
  if (!greeted) {
    return tl::make_unexpected(std::move(greeted).error());
  }
  return client;
}

Result<void> ControlClient::Greet(const std::string& program) {
  proto::ControlRequest request;
  request.mutable_hello()->set_min_version(kProtocolVersion);
  request.mutable_hello()->set_max_version(kProtocolVersion);
  request.mutable_hello()->set_program(program);
  Result<proto::ControlReply> reply = Call(std::move(request));
  if (!reply) {
    Error error = std::move(reply).error();
    error.context = fmt::format("{} answered the greeting: {}", Quote(socket_path_), error.context);
    return tl::make_unexpected(std::move(error));
  }
  if (!reply->has_hello() || reply->hello().version() != kProtocolVersion) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the broker behind {} speaks version {} of the protocol, this program "
                            "speaks {}; use the programs of the broker's own release",
                            Quote(socket_path_), reply->hello().version(), kProtocolVersion));
  }
  vm_ = reply->hello().vm();
  if (reply->hello().max_packet() != 0) {
    max_packet_ = std::min<std::size_t>(max_packet_, reply->hello().max_packet());
  }
  return {};
}

Result<proto::ControlReply> ControlClient::Call(proto::ControlRequest request) {
  Result<void> sent = Send(std::move(request));
  if (!sent) {
    return tl::make_unexpected(std::move(sent).error());
  }
  return Receive(Patience::kDeadline);
}

Result<proto::ControlReply> ControlClient::TryCall(proto::ControlRequest request) {
  Result<void> sent = Send(std::move(request));
  if (!sent) {
    return tl::make_unexpected(std::move(sent).error());
  }
  return ReceiveAny(Patience::kDeadline);
}

Result<void> ControlClient::Send(proto::ControlRequest request) {
  request.set_id(++last_id_);
  const std::string packet = request.SerializeAsString();
  if (packet.size() > max_packet_) {
    return Fail(ErrorCode::kLimit,
                fmt::format("the request needs {} bytes, and the broker takes at most {}; ask for "
                            "fewer files at a time",
                            packet.size(), max_packet_));
  }
  const SentBundle sent = SendBundle(socket_.Get(), packet.data(), packet.size(), WaitMode::kWait);
  switch (sent.status) {
    case BundleStatus::kOk:
      return {};
    case BundleStatus::kClosed:
      return tl::make_unexpected(LostConnection());
    default:
      return FailErrno(sent.sys_errno, "cannot send the request to the broker");
  }
}

Result<proto::ControlReply> ControlClient::Receive(Patience patience) {
  return ReceiveAny(patience).and_then(RequireOk);
}

Result<proto::ControlReply> ControlClient::ReceiveAny(Patience patience) {
  std::vector<char> buffer(limits::kMaxControlPacket);
  ReceivedBundle bundle;
  do {
    bundle = ReceiveBundle(socket_.Get(), buffer.data(), buffer.size(), DescriptorRule::kNone,
                           WaitMode::kWait);
  } while (bundle.status == BundleStatus::kAgain && patience == Patience::kForever);
  if (bundle.status != BundleStatus::kOk) {
    return tl::make_unexpected(ReceiveError(bundle));
  }
  proto::ControlReply reply;
  if (!reply.ParseFromArray(buffer.data(), static_cast<int>(bundle.size)) ||
      reply.id() != last_id_) {
    return Fail(ErrorCode::kCorrupt, "the broker's answer is not one to this request");
  }
  return reply;
}

}  // namespace openhook::client
