// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bare_server FD: the floor below any broker. One blocking recvmsg, one openat2, one sendmsg with
// the descriptor, one close for each request on the connected SEQPACKET socket FD; a request is a
// path and its NUL. It checks nothing at all.

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

bool ServeOne(int socket) {
  char path[4096];
  iovec data{path, sizeof(path)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (::recvmsg(socket, &message, 0) <= 0) {
    return false;
  }
  open_how how{};
  how.flags = O_RDWR | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const int fd = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));

  alignas(cmsghdr) unsigned char control[CMSG_SPACE(sizeof(int))] = {};
  data = {path, 1};
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  const bool sent = ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
  ::close(fd);
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: bare_server FD\n", stderr);
    return 2;
  }
  const int socket = std::atoi(argv[1]);
  while (ServeOne(socket)) {
  }
  return 0;
}
