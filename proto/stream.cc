// SPDX-License-Identifier: LGPL-2.1-or-later

#include "proto/stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace openhook {

namespace {

// The kernel's SCM_MAX_FD (include/net/scm.h): one message can carry this many.
constexpr std::size_t kMaxFdsOfAMessage = 253;

StreamStatus StatusFromErrno(int sys_errno) {
  switch (sys_errno) {
    case EAGAIN:
      return StreamStatus::kAgain;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return StreamStatus::kClosed;
    default:
      return StreamStatus::kBroken;
  }
}

// False for control data that is not descriptors. Those are taken in any case.
bool TakeDescriptors(msghdr* message, std::vector<UniqueFd>* descriptors) {
  bool all = true;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      all = false;
      continue;
    }
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      descriptors->emplace_back(raw);
    }
  }
  return all && (message->msg_flags & MSG_CTRUNC) == 0;
}

void PutDescriptors(const std::vector<UniqueFd>& descriptors, std::vector<unsigned char>* control,
                    msghdr* message) {
  control->assign(CMSG_SPACE(descriptors.size() * sizeof(int)), 0);
  message->msg_control = control->data();
  message->msg_controllen = control->size();
  cmsghdr* header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const int raw = descriptors[i].Get();
    std::memcpy(CMSG_DATA(header) + i * sizeof(int), &raw, sizeof(int));
  }
}

}  // namespace

StreamChunk ReceiveStream(int socket, std::size_t capacity) {
  alignas(
      cmsghdr) unsigned char control[CMSG_SPACE(kMaxFdsOfAMessage * sizeof(int)) + CMSG_SPACE(256)];
  StreamChunk chunk;
  chunk.bytes.resize(capacity);
  iovec data{chunk.bytes.data(), capacity};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received = -1;
  do {
    received = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    chunk.status = StatusFromErrno(errno);
    chunk.bytes.clear();
    return chunk;
  }
  const bool whole = TakeDescriptors(&message, &chunk.descriptors);
  chunk.bytes.resize(static_cast<std::size_t>(received));
  chunk.status = !whole          ? StreamStatus::kBroken
                 : received == 0 ? StreamStatus::kClosed
                                 : StreamStatus::kOk;
  return chunk;
}

StreamSent SendStream(int socket, std::string_view bytes,
                      const std::vector<UniqueFd>& descriptors) {
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};  // sendmsg(2) does not write there
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  std::vector<unsigned char> control;
  if (!descriptors.empty()) {
    PutDescriptors(descriptors, &control, &message);
  }
  ssize_t sent = -1;
  do {
    sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return {StatusFromErrno(errno), 0};
  }
  return {StreamStatus::kOk, static_cast<std::size_t>(sent)};
}

}  // namespace openhook
