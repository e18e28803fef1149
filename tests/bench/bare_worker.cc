// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bare_worker FILE FD: the client of bare_server on the connected socket FD. One sendmsg, one
// recvmsg, one close.

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/bench/worker.h"

namespace {

// The descriptor that comes with one packet; negative when none does.
int ReceiveDescriptor(int socket) {
  char byte = 0;
  iovec data{&byte, sizeof(byte)};
  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) {
    return -1;
  }
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  int fd = -1;
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  }
  return fd;
}

bool OpenAndClose(int socket, char* path, std::size_t size) {
  iovec data{path, size};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    return false;
  }
  const int fd = ReceiveDescriptor(socket);
  return fd >= 0 && ::close(fd) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: bare_worker FILE FD\n", stderr);
    return 2;
  }
  char* path = argv[1];
  const std::size_t size = std::strlen(path) + 1;
  const int socket = std::atoi(argv[2]);
  return openhook::bench::ServeBatches(
      [socket, path, size] { return OpenAndClose(socket, path, size); });
}
