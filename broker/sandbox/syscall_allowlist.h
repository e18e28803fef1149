// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The system calls that a process keeps (seccomp(2)); every other one fails with EPERM from then
// on.

#ifndef BROKER_SANDBOX_SYSCALL_ALLOWLIST_H_
#define BROKER_SANDBOX_SYSCALL_ALLOWLIST_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "broker/base/result.h"

namespace openhook::sandbox {

class SyscallAllowlist {
 public:
  // `who`: whose rights these are, for messages.
  static Result<SyscallAllowlist> Make(std::string_view who);

  // Names with blanks between them; one that this architecture has not is left out. Allowed
  // whatever their arguments are: the kernel then decides by a bitmap, and runs no filter.
  SyscallAllowlist& Allow(std::string_view names);
  // Allowed while the bits of `mask` in the argument (from 0 on) have `value`.
  SyscallAllowlist& AllowMasked(const char* name, unsigned argument, std::uint64_t mask,
                                std::uint64_t value);
  // Fails with another error than EPERM.
  SyscallAllowlist& Refuse(const char* name, int sys_errno);
  // mmap(2) and mprotect(2), but for executable memory: to be used when all code is loaded.
  SyscallAllowlist& AllowMemory();

  // For this process and all that it forks, for good; sets no_new_privs. Errors: that of a step
  // before; kUnsupported when the kernel has no seccomp filters.
  Result<void> Load();

 private:
  SyscallAllowlist(void* context, void (*release)(void*), std::string_view who)
      : context_(context, release), who_(who) {}
  void Note(int status);

  std::unique_ptr<void, void (*)(void*)> context_;
  std::string_view who_;
  int failure_ = 0;  // negative errno, as libseccomp returns it
};

}  // namespace openhook::sandbox

#endif  // BROKER_SANDBOX_SYSCALL_ALLOWLIST_H_
