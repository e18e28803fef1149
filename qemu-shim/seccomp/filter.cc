// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/filter.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace openhook::seccomp {

namespace {

using Context = std::unique_ptr<void, void (*)(void*)>;

Result<void> Check(int status, const char* what) {
  // libseccomp returns a negative errno.
  return status < 0 ? Result<void>(FailErrno(-status, what)) : Result<void>();
}

Result<void> Trap(void* context, int call) {
  return Check(seccomp_rule_add(context, SCMP_ACT_NOTIFY, call, 0), "cannot add a seccomp rule");
}

// Not with AT_EMPTY_PATH, which is about a descriptor: glibc's fstat(2) is newfstatat(2) with it.
Result<void> TrapUnlessEmptyPath(void* context, int call, unsigned flags_argument) {
  const scmp_arg_cmp no_empty_path{flags_argument, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0};
  return Check(seccomp_rule_add_array(context, SCMP_ACT_NOTIFY, call, 1, &no_empty_path),
               "cannot add a seccomp rule");
}

Result<void> AddRules(void* context) {
  constexpr int kCalls[] = {SYS_open,     SYS_openat,   SYS_openat2,   SYS_creat,      SYS_stat,
                            SYS_lstat,    SYS_access,   SYS_faccessat, SYS_faccessat2, SYS_unlink,
                            SYS_unlinkat, SYS_readlink, SYS_readlinkat};
  for (const int call : kCalls) {
    if (auto added = Trap(context, call); !added) {
      return added;
    }
  }
  return TrapUnlessEmptyPath(context, SYS_newfstatat, 3).and_then([&] {
    return TrapUnlessEmptyPath(context, SYS_statx, 2);
  });
}

Result<std::vector<sock_filter>> Export(void* context) {
  const UniqueFd file(::memfd_create("openhook-filter", MFD_CLOEXEC));
  if (!file.IsValid()) {
    return FailErrno(errno, "cannot make memory for the seccomp filter");
  }
  if (auto written = Check(seccomp_export_bpf(context, file.Get()), "cannot make a seccomp filter");
      !written) {
    return tl::make_unexpected(written.error());
  }
  const off_t size = ::lseek(file.Get(), 0, SEEK_END);
  std::vector<sock_filter> filter(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file.Get(), filter.data(), filter.size() * sizeof(sock_filter), 0) != size) {
    return FailErrno(EIO, "cannot read the seccomp filter back");
  }
  return filter;
}

}  // namespace

Result<std::vector<sock_filter>> ComposeFilter() {
  const Context context(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (context == nullptr) {
    return FailErrno(ENOMEM, "cannot make a seccomp filter");
  }
  // Other ABIs: native rights apply. A binary search over the calls instead of a list, because the
  // program pays for the filter at each of its system calls.
  return Check(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW),
               "cannot set up a seccomp filter")
      .and_then([&] {
        return Check(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2),
                     "cannot set up a seccomp filter");
      })
      .and_then([&] { return AddRules(context.get()); })
      .and_then([&] { return Export(context.get()); });
}

Error InstallationError(int sys_errno) {
  switch (sys_errno) {
    case ENOSYS:
      return {ErrorCode::kUnsupported, sys_errno,
              "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER); use --mode=preload"};
    case EINVAL:
      return {ErrorCode::kUnsupported, sys_errno,
              "this kernel has no wait-killable seccomp notifications (Linux 5.19 and later have "
              "them), without which a signal would break the program's opens; use --mode=preload"};
    case EBUSY:
      return {ErrorCode::kConflict, sys_errno,
              "another seccomp listener is in force for this process, and the kernel allows one: a "
              "container manager's, or openhook-qemu --mode=seccomp around this one; use "
              "--mode=preload, or turn the other one off"};
    default:
      return ErrnoError(sys_errno, "cannot install the seccomp filter");
  }
}

Result<UniqueFd> InstallFilter(const std::vector<sock_filter>& filter) {
  const sock_fprog program{static_cast<unsigned short>(filter.size()),
                           const_cast<sock_filter*>(filter.data())};
  // libseccomp 2.5 cannot load with WAIT_KILLABLE_RECV. It is not optional: without it a signal
  // makes an open return EINTR, or repeat for ever, after the broker has done it already.
  constexpr unsigned kFlags =
      SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  UniqueFd listener(
      static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, kFlags, &program)));
  if (!listener.IsValid()) {
    return tl::make_unexpected(InstallationError(errno));
  }
  return listener;
}

}  // namespace openhook::seccomp
