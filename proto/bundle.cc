// SPDX-License-Identifier: LGPL-2.1-or-later

#include "proto/bundle.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

namespace openhook {

namespace {

// The kernel's SCM_MAX_FD (include/net/scm.h): one packet can carry this many. Room for all of them
// and for a second control header, so that MSG_CTRUNC only ever means "dropped by the kernel".
constexpr std::size_t kMaxFdsOfAPacket = 253;
constexpr std::size_t kControlBytes =
    CMSG_SPACE(kMaxFdsOfAPacket * sizeof(int)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(256);

struct ControlFindings {
  UniqueFd first;
  std::size_t descriptors = 0;
  std::size_t headers = 0;
  bool foreign = false;
};

// Takes ownership of every descriptor in the control data; keeps the first, closes the others.
ControlFindings TakeControlData(msghdr* message) {
  ControlFindings found;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr;
       header = CMSG_NXTHDR(message, header)) {
    ++found.headers;
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len < CMSG_LEN(0)) {
      found.foreign = true;
      continue;
    }
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      UniqueFd fd(raw);
      if (found.descriptors++ == 0) {
        found.first = static_cast<UniqueFd&&>(fd);
      }
    }
  }
  return found;
}

bool BreaksRule(const ControlFindings& found, DescriptorRule rule) {
  const std::size_t allowed = rule == DescriptorRule::kAtMostOne ? 1 : 0;
  return found.foreign || found.headers > allowed || found.descriptors > allowed;
}

BundleStatus StatusFromErrno(int sys_errno) {
  switch (sys_errno) {
    case EAGAIN:
      return BundleStatus::kAgain;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return BundleStatus::kClosed;
    default:
      return BundleStatus::kFailed;
  }
}

SentBundle Send(int socket, msghdr* message, WaitMode wait) {
  const int flags = MSG_NOSIGNAL | (wait == WaitMode::kDontWait ? MSG_DONTWAIT : 0);
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, message, flags);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return {StatusFromErrno(errno), errno};
  }
  return {BundleStatus::kOk, 0};
}

}  // namespace

ReceivedBundle ReceiveBundle(int socket, void* buffer, std::size_t capacity, DescriptorRule rule,
                             WaitMode wait) {
  alignas(cmsghdr) unsigned char control[kControlBytes];
  iovec data{buffer, capacity};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);

  ReceivedBundle result;
  const int flags = MSG_CMSG_CLOEXEC | (wait == WaitMode::kDontWait ? MSG_DONTWAIT : 0);
  ssize_t received = -1;
  do {
    received = ::recvmsg(socket, &message, flags);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    result.status = StatusFromErrno(errno);
    result.sys_errno = errno;
    return result;
  }

  ControlFindings found = TakeControlData(&message);
  if (BreaksRule(found, rule)) {
    result.status = BundleStatus::kUnexpectedFds;
  } else if ((message.msg_flags & MSG_TRUNC) != 0) {
    result.status = BundleStatus::kTooLarge;
  } else if ((message.msg_flags & MSG_CTRUNC) != 0) {
    result.status = BundleStatus::kDescriptorLost;
    result.size = static_cast<std::size_t>(received);
  } else if (received == 0) {
    // No message of ours is empty, so zero bytes always mean the end of the connection.
    result.status = BundleStatus::kClosed;
  } else {
    result.status = BundleStatus::kOk;
    result.size = static_cast<std::size_t>(received);
    result.fd = static_cast<UniqueFd&&>(found.first);
  }
  return result;
}

SentBundle SendBundle(int socket, const void* data, std::size_t size, WaitMode wait) {
  iovec part{const_cast<void*>(data), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return Send(socket, &message, wait);
}

SentBundle SendBundle(int socket, const void* data, std::size_t size, const IoFd& fd,
                      WaitMode wait) {
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{const_cast<void*>(data), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int raw = fd.Get();
  std::memcpy(CMSG_DATA(header), &raw, sizeof(int));
  return Send(socket, &message, wait);
}

}  // namespace openhook
