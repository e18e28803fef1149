// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/broker_connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string_view>

#include "proto/bundle.h"
#include "proto/version.h"
#include "qemu-shim/client/report.h"

namespace openhook::client {

namespace {

// Our replies have 424 bytes at most; the rest is for fields that a newer broker may add.
constexpr std::size_t kReplyBytes = 4096;

sockaddr_un AddressOf(const char* socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path, sizeof(address.sun_path) - 1);
  return address;
}

ConnectStatus StatusFromErrno() {
  return errno == EMFILE || errno == ENFILE ? ConnectStatus::kNoDescriptors
                                            : ConnectStatus::kTryAgain;
}

std::string_view NameOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos
             ? path
             : std::string_view(path.data() + slash + 1, path.size() - slash - 1);
}

bool HasOption(int fd, int option, int expected) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

bool EncodeHello(const char* program, Packet* packet) {
  openhook_proto_Request request;
  request.id = 0;
  request.which_body = openhook_proto_Request_hello_tag;
  request.body.hello = {kProtocolVersion, kProtocolVersion, {}};
  std::strncpy(request.body.hello.program, program, sizeof(request.body.hello.program) - 1);
  return Encode(request, packet);
}

ConnectStatus JudgeHello(const openhook_proto_Reply& reply, const char* socket_path) {
  if (reply.outcome == openhook_proto_Outcome_OUTCOME_OK &&
      reply.which_body == openhook_proto_Reply_hello_tag &&
      reply.body.hello.version == kProtocolVersion) {
    return ConnectStatus::kConnected;
  }
  Line line;
  line.Add("the broker at ").AddQuoted(socket_path).Add(" refuses this program: ");
  line.Add(reply.reason[0] != '\0' ? reply.reason : "no common protocol version");
  line.Print();
  return ConnectStatus::kRefused;
}

// A living broker answers Hello at once; one that is stopped must not hold us for ever here.
ConnectStatus Greet(int socket, const Endpoint& endpoint, Patience* patience) {
  Packet hello;
  if (!EncodeHello(endpoint.program, &hello) ||
      SendBundle(socket, hello.bytes, hello.size, WaitMode::kWait).status != BundleStatus::kOk ||
      !patience->AwaitReadable(socket)) {
    return ConnectStatus::kTryAgain;
  }
  std::uint8_t bytes[kReplyBytes];
  const ReceivedBundle received =
      ReceiveBundle(socket, bytes, sizeof(bytes), DescriptorRule::kNone, WaitMode::kDontWait);
  openhook_proto_Reply reply;
  if (received.status != BundleStatus::kOk || !Decode(bytes, received.size, &reply)) {
    return ConnectStatus::kTryAgain;
  }
  return JudgeHello(reply, endpoint.socket);
}

}  // namespace

ConnectStatus Connect(const Endpoint& endpoint, Patience* patience, ConnectionSlot* slot) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.IsValid()) {
    return StatusFromErrno();
  }
  const sockaddr_un address = AddressOf(endpoint.socket);
  int connected = -1;
  do {
    connected = ::connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  } while (connected < 0 && errno == EINTR);
  if (connected < 0) {
    return StatusFromErrno();
  }
  const ConnectStatus status = Greet(fd.Get(), endpoint, patience);
  if (status == ConnectStatus::kConnected) {
    slot->Put(static_cast<UniqueFd&&>(fd));
  }
  return status;
}

bool IsBrokerConnection(int fd, const char* socket_path) {
  if (fd < 0 || !HasOption(fd, SO_DOMAIN, AF_UNIX) || !HasOption(fd, SO_TYPE, SOCK_SEQPACKET)) {
    return false;
  }
  sockaddr_un peer{};
  socklen_t size = sizeof(peer);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || size >= sizeof(peer)) {
    return false;
  }
  // Only the last component: the broker may have bound it under another spelling of the directory.
  return NameOf(peer.sun_path) == NameOf(socket_path);
}

RoundTripStatus RoundTrip(int socket, const Packet& packet, openhook_proto_Reply* reply,
                          UniqueFd* descriptor) {
  if (SendBundle(socket, packet.bytes, packet.size, WaitMode::kWait).status != BundleStatus::kOk) {
    return RoundTripStatus::kBroken;
  }
  std::uint8_t bytes[kReplyBytes];
  ReceivedBundle received =
      ReceiveBundle(socket, bytes, sizeof(bytes), DescriptorRule::kAtMostOne, WaitMode::kWait);
  if ((received.status != BundleStatus::kOk && received.status != BundleStatus::kDescriptorLost) ||
      !Decode(bytes, received.size, reply) || reply->id != packet.id) {
    return RoundTripStatus::kBroken;
  }
  *descriptor = static_cast<UniqueFd&&>(received.fd);
  return reply->descriptor && !descriptor->IsValid() ? RoundTripStatus::kAnsweredWithoutDescriptor
                                                     : RoundTripStatus::kAnswered;
}

}  // namespace openhook::client
