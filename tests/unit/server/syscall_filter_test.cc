// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/syscall_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

namespace openhook::server {
namespace {

// What a filtered process ends with: 0 when the call succeeded, else its errno.
int UnderTheFilter(const std::function<long()>& call) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!FilterSystemCalls()) {
      ::_exit(255);
    }
    errno = 0;
    ::_exit(call() >= 0 ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

long Execute() {
  const char* const arguments[] = {"/bin/true", nullptr};
  return ::execv(arguments[0], const_cast<char* const*>(arguments));
}

long MapExecutable() {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? -1 : 0;
}

TEST(SyscallFilter, TakesAwayWhatABrokerNeverNeeds) {
  ASSERT_EQ(::geteuid(), 0U) << "needs root: without rights the calls fail by themselves";
  EXPECT_EQ(UnderTheFilter(Execute), EPERM);
  EXPECT_EQ(UnderTheFilter(MapExecutable), EPERM);
  EXPECT_EQ(UnderTheFilter([] { return ::ptrace(PTRACE_SEIZE, ::getppid(), 0, 0); }), EPERM);
  EXPECT_EQ(UnderTheFilter([] {
              char byte = 0;
              const iovec here{&byte, 1};
              return ::process_vm_readv(::getppid(), &here, 1, &here, 1, 0);
            }),
            EPERM);
  EXPECT_EQ(UnderTheFilter([] {
              const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0));
              return ::syscall(SYS_pidfd_getfd, pidfd, 0, 0);
            }),
            EPERM);
  EXPECT_EQ(UnderTheFilter([] { return long{::mount("none", "/mnt", "tmpfs", 0, nullptr)}; }),
            EPERM);
  EXPECT_EQ(UnderTheFilter([] { return long{::unshare(CLONE_NEWNS)}; }), EPERM);
  EXPECT_EQ(UnderTheFilter([] {
              return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0);
            }),
            EPERM);
  EXPECT_EQ(UnderTheFilter([] { return long{::socket(AF_INET, SOCK_STREAM, 0)}; }), EPERM);
  EXPECT_EQ(UnderTheFilter([] { return long{::socket(AF_NETLINK, SOCK_RAW, 0)}; }), EPERM);
  EXPECT_EQ(UnderTheFilter([] { return ::syscall(SYS_setuid, 1); }), EPERM);
  EXPECT_EQ(UnderTheFilter([] { return long{::chroot("/")}; }), EPERM);
  EXPECT_EQ(UnderTheFilter([] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }), EPERM);
  EXPECT_EQ(UnderTheFilter([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }), EPERM);
}

TEST(SyscallFilter, LeavesWhatOpeningAndPassingFilesTakes) {
  EXPECT_EQ(UnderTheFilter([] { return long{::open("/dev/null", O_RDWR | O_CLOEXEC)}; }), 0);
  EXPECT_EQ(UnderTheFilter([] { return long{::socket(AF_UNIX, SOCK_SEQPACKET, 0)}; }), 0);
  EXPECT_EQ(UnderTheFilter([] {
              const pid_t worker = ::fork();
              if (worker == 0) {
                ::_exit(0);
              }
              int status = 0;
              return long{::waitpid(worker, &status, 0)} - worker;
            }),
            0);
}

TEST(SyscallFilter, IsInForceOnceHoweverOftenItIsAskedFor) {
  EXPECT_EQ(UnderTheFilter([] { return FilterSystemCalls() ? 0L : -1L; }), 0);
}

}  // namespace
}  // namespace openhook::server
