// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/greeting.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "proto/bundle.h"
#include "proto/openhook.pb.h"
#include "proto/version.h"

namespace openhook::launcher {

namespace {

constexpr std::size_t kLongestProgramName = 63;
constexpr timeval kHelloTimeout{5, 0};  // the broker's loop never blocks: silence means trouble

const char* RemedyFor(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
    case ECONNREFUSED:
      return "; is openhookd running for this VM, and with this --run-dir?";
    case EACCES:
      return "; only the VM's user may connect: compare --user with openhookd's --vm-user";
    default:
      return "";
  }
}

Result<UniqueFd> ConnectTo(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot make a socket");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int reason = errno;
    return FailErrno(reason, "cannot connect to the broker at " + Quote(path) + RemedyFor(reason));
  }
  ::setsockopt(fd.Get(), SOL_SOCKET, SO_RCVTIMEO, &kHelloTimeout, sizeof(kHelloTimeout));
  return fd;
}

Result<proto::Reply> ExchangeHello(int socket, const std::string& program) {
  proto::Request request;
  proto::Hello* hello = request.mutable_hello();
  hello->set_min_version(kProtocolVersion);
  hello->set_max_version(kProtocolVersion);
  hello->set_program(Escape(program, kLongestProgramName / 4));  // an escaped byte takes four
  const std::string bytes = request.SerializeAsString();
  const SentBundle sent = SendBundle(socket, bytes.data(), bytes.size(), WaitMode::kWait);
  std::array<char, limits::kMaxOpenPacket> buffer;
  ReceivedBundle received;
  if (sent.status == BundleStatus::kOk) {
    received =
        ReceiveBundle(socket, buffer.data(), buffer.size(), DescriptorRule::kNone, WaitMode::kWait);
  }
  proto::Reply reply;
  if (received.status == BundleStatus::kAgain) {
    return Fail(ErrorCode::kUnavailable, "the broker does not answer");
  }
  if (received.status != BundleStatus::kOk ||
      !reply.ParseFromArray(buffer.data(), static_cast<int>(received.size))) {
    return Fail(ErrorCode::kUnavailable,
                "the broker closed the connection; its log says why (a peer that is not the VM's "
                "user, or too many connections)");
  }
  return reply;
}

}  // namespace

Result<UniqueFd> ConnectAndGreet(const std::string& socket_path, const std::string& program) {
  auto socket = ConnectTo(socket_path);
  if (!socket) {
    return socket;
  }
  const auto reply = ExchangeHello(socket->Get(), program);
  if (!reply) {
    return Fail(reply.error().code, "at " + Quote(socket_path) + ": " + reply.error().context);
  }
  if (reply->outcome() != proto::OUTCOME_OK || reply->hello().version() != kProtocolVersion) {
    return Fail(ErrorCode::kPermission,
                "the broker at " + Quote(socket_path) + " refuses: " +
                    (reply->reason().empty() ? "no common protocol version" : reply->reason()));
  }
  constexpr timeval kForEver{};
  ::setsockopt(socket->Get(), SOL_SOCKET, SO_RCVTIMEO, &kForEver, sizeof(kForEver));
  return socket;
}

Result<UniqueFd> PlaceHigh(UniqueFd fd) {
  // Below 1024: programs with select(2) corrupt their stack with larger numbers.
  constexpr rlim_t kSelectLimit = 1024;
  constexpr rlim_t kRoomAbove = 24;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t top = std::min(limit.rlim_cur, kSelectLimit);
  const int lowest = static_cast<int>(top > 2 * kRoomAbove ? top - kRoomAbove : top / 2);
  UniqueFd placed(::fcntl(fd.Get(), F_DUPFD, lowest));
  if (!placed.IsValid()) {
    return FailErrno(errno, "no free descriptor from " + std::to_string(lowest) + " on");
  }
  return placed;
}

}  // namespace openhook::launcher
