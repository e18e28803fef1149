// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/sockets.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "broker/base/text.h"

namespace openhook::relay {

namespace {

constexpr int kBacklog = 16;

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the socket path " + Quote(path) + " is longer than 107 bytes");
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<UniqueFd> StreamSocket() {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.IsValid()) {
    return FailErrno(errno, "cannot make a socket");
  }
  return socket;
}

// Whether somebody listens at a name that is in use; so it is taken to be where nobody can be
// asked.
bool IsServed(const sockaddr_un& address) {
  const auto probe = StreamSocket();
  return !probe || ::connect(probe->Get(), Generic(address), sizeof(address)) == 0 ||
         errno == EAGAIN;
}

Result<void> Bind(int socket, const sockaddr_un& address, const std::string& path) {
  if (::bind(socket, Generic(address), sizeof(address)) == 0) {
    return {};
  }
  if (errno != EADDRINUSE) {
    return FailErrno(errno, "cannot bind " + Quote(path));
  }
  if (IsServed(address)) {
    return Fail(ErrorCode::kConflict, "somebody serves " + Quote(path) + " already");
  }
  ::unlink(path.c_str());
  if (::bind(socket, Generic(address), sizeof(address)) != 0) {
    return FailErrno(errno, "cannot bind " + Quote(path));
  }
  return {};
}

}  // namespace

Result<UniqueFd> ListenAt(const std::string& path, gid_t group) {
  const auto address = AddressOf(path);
  if (!address) {
    return tl::make_unexpected(address.error());
  }
  auto socket = StreamSocket();
  if (!socket) {
    return socket;
  }
  // The name gets the mode of the socket, less the umask: nobody else can connect at any time.
  const mode_t mode =
      group == ::getegid() ? S_IRUSR | S_IWUSR : S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP;
  const mode_t before = ::umask(0);
  ::fchmod(socket->Get(), S_IRUSR | S_IWUSR);
  const auto bound = Bind(socket->Get(), *address, path);
  ::umask(before);
  if (!bound) {
    return tl::make_unexpected(bound.error());
  }
  if (mode != (S_IRUSR | S_IWUSR) && (::lchown(path.c_str(), static_cast<uid_t>(-1), group) != 0 ||
                                      ::chmod(path.c_str(), mode) != 0)) {
    return FailErrno(errno, "cannot give " + Quote(path) + " to the control group");
  }
  if (::listen(socket->Get(), kBacklog) != 0) {
    return FailErrno(errno, "cannot listen at " + Quote(path));
  }
  return socket;
}

Result<UniqueFd> ConnectTo(int name) {
  const auto address = AddressOf("/proc/self/fd/" + std::to_string(name));
  auto socket = StreamSocket();
  if (!address || !socket) {
    return Fail(ErrorCode::kUnavailable, "cannot make a socket for QEMU's monitor");
  }
  if (::connect(socket->Get(), Generic(*address), sizeof(*address)) == 0) {
    return socket;
  }
  return Fail(errno == ECONNREFUSED ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
              "cannot connect to QEMU's monitor");
}

UniqueFd AcceptFrom(int listener) {
  return UniqueFd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

void Outgoing::Add(std::string bytes, std::vector<UniqueFd> descriptors) {
  size_ += bytes.size();
  if (!bytes.empty()) {
    parts_.push_back({std::move(bytes), 0, std::move(descriptors)});
  }
}

StreamStatus Outgoing::Flush(int socket) {
  while (!parts_.empty()) {
    Part& part = parts_.front();
    const StreamSent sent =
        SendStream(socket, std::string_view(part.bytes).substr(part.sent), part.descriptors);
    if (sent.status != StreamStatus::kOk) {
      return sent.status;
    }
    part.descriptors.clear();  // they have gone with the first byte
    part.sent += sent.size;
    size_ -= sent.size;
    if (part.sent == part.bytes.size()) {
      parts_.pop_front();
    }
  }
  return StreamStatus::kOk;
}

}  // namespace openhook::relay
