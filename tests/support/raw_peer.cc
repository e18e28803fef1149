// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/support/raw_peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "broker/base/limits.h"

namespace openhook::testing_support {

namespace {

constexpr int kPatienceMs = 5'000;

std::string Header(int type, const void* data, std::size_t size) {
  std::string control(CMSG_SPACE(size), '\0');
  cmsghdr header{};
  header.cmsg_level = SOL_SOCKET;
  header.cmsg_type = type;
  header.cmsg_len = CMSG_LEN(size);
  std::memcpy(control.data(), &header, sizeof(header));
  std::memcpy(control.data() + CMSG_LEN(0), data, size);
  return control;
}

void TakeDescriptors(msghdr* message, std::vector<UniqueFd>* fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      fds->emplace_back(fd);
    }
  }
}

proto::ControlRequest ControlHello() {
  proto::ControlRequest request;
  request.mutable_hello()->set_min_version(1);
  request.mutable_hello()->set_max_version(1);
  return request;
}

}  // namespace

std::optional<RawPeer> RawPeer::Connect(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (::connect(socket.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return std::nullopt;
  }
  return RawPeer(std::move(socket));
}

bool RawPeer::Send(std::string_view bytes) const { return SendWithControl(bytes, {}); }

bool RawPeer::SendWithControl(std::string_view bytes, const std::string& control) const {
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.empty() ? nullptr : const_cast<char*>(control.data());
  message.msg_controllen = control.size();
  return ::sendmsg(socket_.Get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool RawPeer::SendPatiently(std::string_view bytes) const {
  while (!Send(bytes)) {
    pollfd room{socket_.Get(), POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&room, 1, kPatienceMs) <= 0) {
      return false;
    }
  }
  return true;
}

Packet RawPeer::Receive(int timeout_ms) const {
  pollfd ready{socket_.Get(), POLLIN, 0};
  if (::poll(&ready, 1, timeout_ms) <= 0) {
    return {};
  }
  Packet packet;
  packet.bytes.resize(limits::kMaxControlPacket);
  alignas(cmsghdr) std::array<char, 4096> control;
  iovec data{packet.bytes.data(), packet.bytes.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket_.Get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  packet.kind = size > 0 ? Packet::Kind::kData : Packet::Kind::kClosed;
  packet.bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (size > 0) {
    TakeDescriptors(&message, &packet.fds);
    packet.flags = message.msg_flags;
  }
  return packet;
}

bool RawPeer::IsClosedByBroker() const {
  Packet packet = Receive();
  while (packet.kind == Packet::Kind::kData) {
    packet = Receive();
  }
  return packet.kind == Packet::Kind::kClosed;
}

std::string RightsHeader(const std::vector<int>& descriptors) {
  return Header(SCM_RIGHTS, descriptors.data(), descriptors.size() * sizeof(int));
}

std::string CredentialsHeader() {
  const ucred credentials{::getpid(), ::getuid(), ::getgid()};
  return Header(SCM_CREDENTIALS, &credentials, sizeof(credentials));
}

proto::Request HelloRequest() {
  proto::Request request;
  request.mutable_hello()->set_min_version(1);
  request.mutable_hello()->set_max_version(1);
  return request;
}

proto::Request OpenRequest(const std::string& path, std::uint64_t id) {
  proto::Request request;
  request.set_id(id);
  request.mutable_open()->set_path(path);
  request.mutable_open()->set_access(proto::ACCESS_READ);
  return request;
}

std::optional<RawPeer> ConnectGreeted(const std::string& path) {
  auto peer = RawPeer::Connect(path);
  if (!peer) {
    return peer;
  }
  const auto answer = Ask(*peer, HelloRequest());
  return answer && answer->reply.outcome() == proto::OUTCOME_OK ? std::move(peer) : std::nullopt;
}

std::optional<OpenAnswer> Ask(const RawPeer& peer, const proto::Request& request) {
  if (!peer.SendPatiently(request.SerializeAsString())) {
    return std::nullopt;
  }
  Packet packet = peer.Receive();
  OpenAnswer answer;
  if (packet.kind != Packet::Kind::kData || !answer.reply.ParseFromString(packet.bytes)) {
    return std::nullopt;
  }
  if (!packet.fds.empty()) {
    answer.fd = std::move(packet.fds.front());
  }
  return answer;
}

proto::ControlReply AskControl(const std::string& path, const proto::ControlRequest& request) {
  proto::ControlReply reply;
  const auto peer = RawPeer::Connect(path);
  for (const proto::ControlRequest& one : {ControlHello(), request}) {
    if (!peer || !peer->SendPatiently(one.SerializeAsString())) {
      return {};
    }
    const Packet packet = peer->Receive();
    if (packet.kind != Packet::Kind::kData || !reply.ParseFromString(packet.bytes)) {
      return {};
    }
  }
  return reply;
}

}  // namespace openhook::testing_support
