// SPDX-License-Identifier: LGPL-2.1-or-later
//
// enosys SYSTEM-CALL -- COMMAND...: runs COMMAND on a kernel that lacks the system call, as far as
// it and its children can tell.

#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  if (argc < 4 || std::strcmp(argv[2], "--") != 0) {
    std::fputs("usage: enosys SYSTEM-CALL -- COMMAND...\n", stderr);
    return 2;
  }
  const int number = seccomp_syscall_resolve_name(argv[1]);
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (number == __NR_SCMP_ERROR || filter == nullptr ||
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0) != 0 ||
      seccomp_load(filter) != 0) {
    std::fprintf(stderr, "enosys: cannot take %s away\n", argv[1]);
    return 1;
  }
  ::execvp(argv[3], argv + 3);
  std::perror(argv[3]);
  return 127;
}
