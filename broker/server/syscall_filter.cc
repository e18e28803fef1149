// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/syscall_filter.h"

#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

#include "broker/sandbox/syscall_allowlist.h"

namespace openhook::server {

namespace {

constexpr std::string_view kFiles =
    "access chmod close close_range creat dup dup2 dup3 faccessat faccessat2 fallocate fchmod "
    "fchmodat fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd "
    "getdents64 "
    "ioctl link linkat lseek lstat memfd_create mkdir mkdirat name_to_handle_at newfstatat open "
    "openat openat2 pipe2 pread64 preadv pwrite64 pwritev read readlink readlinkat readv rename "
    "renameat renameat2 stat statfs statx sync_file_range umask unlink unlinkat utimensat write "
    "writev";

constexpr std::string_view kWaiting =
    "clock_getres clock_gettime clock_nanosleep epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 "
    "epoll_wait eventfd2 futex gettimeofday nanosleep poll ppoll pselect6 restart_syscall select "
    "signalfd4 time timerfd_create timerfd_gettime timerfd_settime";

// But for socket(2) and socketpair(2).
constexpr std::string_view kSockets =
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmsg "
    "sendmsg "
    "sendto setsockopt shutdown";

// But for clone(2). Workers are forked, and killed when they do not answer.
constexpr std::string_view kProcess =
    "capget capset exit exit_group getegid geteuid getgid getpid getppid getrandom getrlimit "
    "gettid "
    "getuid kill membarrier pidfd_open pidfd_send_signal prctl prlimit64 rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_getaffinity "
    "sched_yield seccomp set_robust_list set_tid_address sigaltstack sysinfo tgkill uname wait4 "
    "waitid";

constexpr std::uint64_t kNamespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                                      CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
constexpr std::uint64_t kWholeArgument = UINT32_MAX;

}  // namespace

Result<void> FilterSystemCalls() {
  static bool in_force = false;  // a fork inherits it together with the filter
  if (in_force) {
    return {};
  }
  return sandbox::SyscallAllowlist::Make("openhookd")
      .and_then([](sandbox::SyscallAllowlist list) {
        list.Allow(kFiles).Allow(kWaiting).Allow(kSockets).Allow(kProcess).AllowMemory();
        list.AllowMasked("socket", 0, kWholeArgument, AF_UNIX)
            .AllowMasked("socketpair", 0, kWholeArgument, AF_UNIX)
            .AllowMasked("clone", 0, kNamespaces, 0)
            // Its flags cannot be looked at; the C library takes clone(2) then.
            .Refuse("clone3", ENOSYS);
        return list.Load();
      })
      .map([] { in_force = true; });
}

}  // namespace openhook::server
