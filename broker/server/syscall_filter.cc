// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/syscall_filter.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <memory>

namespace openhook::server {

namespace {

using Context = std::unique_ptr<void, void (*)(void*)>;

// Allowed whatever their arguments are: the kernel then decides by a bitmap and runs no filter.
// Names, because some exist on some architectures only.
constexpr const char* kFiles[] = {"access",
                                  "chmod",
                                  "close",
                                  "close_range",
                                  "creat",
                                  "dup",
                                  "dup2",
                                  "dup3",
                                  "faccessat",
                                  "faccessat2",
                                  "fallocate",
                                  "fchmod",
                                  "fchmodat",
                                  "fchown",
                                  "fchownat",
                                  "fcntl",
                                  "fdatasync",
                                  "flock",
                                  "fstat",
                                  "fstatfs",
                                  "fsync",
                                  "ftruncate",
                                  "getcwd",
                                  "getdents64",
                                  "ioctl",
                                  "link",
                                  "linkat",
                                  "lseek",
                                  "lstat",
                                  "memfd_create",
                                  "mkdir",
                                  "mkdirat",
                                  "name_to_handle_at",
                                  "newfstatat",
                                  "open",
                                  "openat",
                                  "openat2",
                                  "pipe2",
                                  "pread64",
                                  "preadv",
                                  "pwrite64",
                                  "pwritev",
                                  "read",
                                  "readlink",
                                  "readlinkat",
                                  "readv",
                                  "rename",
                                  "renameat",
                                  "renameat2",
                                  "stat",
                                  "statfs",
                                  "statx",
                                  "sync_file_range",
                                  "umask",
                                  "unlink",
                                  "unlinkat",
                                  "utimensat",
                                  "write",
                                  "writev"};

constexpr const char* kWaiting[] = {"clock_getres",
                                    "clock_gettime",
                                    "clock_nanosleep",
                                    "epoll_create1",
                                    "epoll_ctl",
                                    "epoll_pwait",
                                    "epoll_pwait2",
                                    "epoll_wait",
                                    "eventfd2",
                                    "futex",
                                    "gettimeofday",
                                    "nanosleep",
                                    "poll",
                                    "ppoll",
                                    "pselect6",
                                    "restart_syscall",
                                    "select",
                                    "signalfd4",
                                    "time",
                                    "timerfd_create",
                                    "timerfd_gettime",
                                    "timerfd_settime"};

// socket() and socketpair() are below.
constexpr const char* kSockets[] = {
    "accept", "accept4",  "bind",    "connect", "getpeername", "getsockname", "getsockopt",
    "listen", "recvfrom", "recvmsg", "sendmsg", "sendto",      "setsockopt",  "shutdown"};

// Workers are forked; what they were told to do ends with them.
constexpr const char* kProcess[] = {"brk",
                                    "capget",
                                    "capset",
                                    "exit",
                                    "exit_group",
                                    "getegid",
                                    "geteuid",
                                    "getgid",
                                    "getpid",
                                    "getppid",
                                    "getrandom",
                                    "getrlimit",
                                    "gettid",
                                    "getuid",
                                    "kill",
                                    "madvise",
                                    "membarrier",
                                    "mremap",
                                    "munmap",
                                    "pidfd_open",
                                    "pidfd_send_signal",
                                    "prctl",
                                    "prlimit64",
                                    "rseq",
                                    "rt_sigaction",
                                    "rt_sigpending",
                                    "rt_sigprocmask",
                                    "rt_sigreturn",
                                    "rt_sigsuspend",
                                    "rt_sigtimedwait",
                                    "sched_getaffinity",
                                    "sched_yield",
                                    "seccomp",
                                    "set_robust_list",
                                    "set_tid_address",
                                    "sigaltstack",
                                    "sysinfo",
                                    "tgkill",
                                    "uname",
                                    "wait4",
                                    "waitid"};

constexpr scmp_datum_t kNamespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                                     CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;

Result<void> Check(int status) {
  // libseccomp returns a negative errno.
  return status < 0 ? Result<void>(FailErrno(-status, "cannot make openhookd's seccomp filter"))
                    : Result<void>();
}

template <std::size_t kCount>
Result<void> Allow(void* context, const char* const (&names)[kCount]) {
  for (const char* name : names) {
    const int call = seccomp_syscall_resolve_name(name);
    // Newer than this libseccomp, or of another architecture.
    if (call == __NR_SCMP_ERROR) {
      continue;
    }
    if (auto added = Check(seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0)); !added) {
      return added;
    }
  }
  return {};
}

Result<void> AllowIf(void* context, const char* name, const scmp_arg_cmp& condition) {
  return Check(seccomp_rule_add_array(context, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name),
                                      1, &condition));
}

// Unix sockets alone, no new namespaces, and no memory that can be executed: all code is loaded by
// now. The flags of clone3(2) cannot be looked at; ENOSYS makes the C library use clone(2).
Result<void> AllowWithConditions(void* context) {
  const scmp_arg_cmp unix_socket{0, SCMP_CMP_EQ, AF_UNIX, 0};
  const scmp_arg_cmp not_executable{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
  const scmp_arg_cmp no_namespace{0, SCMP_CMP_MASKED_EQ, kNamespaces, 0};
  return AllowIf(context, "socket", unix_socket)
      .and_then([&] { return AllowIf(context, "socketpair", unix_socket); })
      .and_then([&] { return AllowIf(context, "clone", no_namespace); })
      .and_then([&] {
        return Check(seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
      })
      .and_then([&] { return AllowIf(context, "mmap", not_executable); })
      .and_then([&] { return AllowIf(context, "mprotect", not_executable); });
}

Result<void> Load(void* context) {
  const int loaded = seccomp_load(context);
  if (loaded == -ENOSYS || loaded == -EINVAL) {
    return Fail(
        ErrorCode::kUnsupported,
        "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER), and openhookd does not "
        "run with more rights than it needs");
  }
  return Check(loaded);
}

}  // namespace

Result<void> FilterSystemCalls() {
  static bool in_force = false;  // a fork inherits it together with the filter
  if (in_force) {
    return {};
  }
  const Context context(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  if (context == nullptr) {
    return FailErrno(ENOMEM, "cannot make openhookd's seccomp filter");
  }
  auto loaded = Check(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2))
                    .and_then([&] { return Allow(context.get(), kFiles); })
                    .and_then([&] { return Allow(context.get(), kWaiting); })
                    .and_then([&] { return Allow(context.get(), kSockets); })
                    .and_then([&] { return Allow(context.get(), kProcess); })
                    .and_then([&] { return AllowWithConditions(context.get()); })
                    .and_then([&] { return Load(context.get()); });
  in_force = loaded.has_value();
  return loaded;
}

}  // namespace openhook::server
