// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/sandbox/syscall_allowlist.h"

#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace openhook::sandbox {

Result<SyscallAllowlist> SyscallAllowlist::Make(std::string_view who) {
  SyscallAllowlist list(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release, who);
  if (list.context_ == nullptr) {
    return FailErrno(ENOMEM, "cannot make the seccomp filter of " + std::string(who));
  }
  // A binary search instead of a list.
  list.Note(seccomp_attr_set(list.context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  return list;
}

SyscallAllowlist& SyscallAllowlist::Allow(std::string_view names) {
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(' '), names.size());
    const std::string name(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    // An error: newer than this libseccomp, or of another architecture.
    const int call = name.empty() ? __NR_SCMP_ERROR : seccomp_syscall_resolve_name(name.c_str());
    if (call != __NR_SCMP_ERROR) {
      Note(seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call, 0));
    }
  }
  return *this;
}

SyscallAllowlist& SyscallAllowlist::AllowMasked(const char* name, unsigned argument,
                                                std::uint64_t mask, std::uint64_t value) {
  const scmp_arg_cmp condition{argument, SCMP_CMP_MASKED_EQ, mask, value};
  Note(seccomp_rule_add_array(context_.get(), SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name), 1,
                              &condition));
  return *this;
}

SyscallAllowlist& SyscallAllowlist::Refuse(const char* name, int sys_errno) {
  Note(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(sys_errno)),
                        seccomp_syscall_resolve_name(name), 0));
  return *this;
}

SyscallAllowlist& SyscallAllowlist::AllowMemory() {
  constexpr unsigned kProtection = 2;
  return AllowMasked("mmap", kProtection, PROT_EXEC, 0)
      .AllowMasked("mprotect", kProtection, PROT_EXEC, 0)
      .Allow("brk madvise mremap munmap");
}

Result<void> SyscallAllowlist::Load() {
  if (failure_ == 0) {
    const int loaded = seccomp_load(context_.get());
    if (loaded == -ENOSYS || loaded == -EINVAL) {
      return Fail(ErrorCode::kUnsupported,
                  "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER), and " +
                      std::string(who_) + " does not run with more rights than it needs");
    }
    Note(loaded);
  }
  if (failure_ != 0) {
    return FailErrno(-failure_, "cannot make the seccomp filter of " + std::string(who_));
  }
  return {};
}

void SyscallAllowlist::Note(int status) {
  if (failure_ == 0 && status < 0) {
    failure_ = status;
  }
}

}  // namespace openhook::sandbox
