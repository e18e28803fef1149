// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A trapped system call by its meaning: numbers and registers in, what is wanted of which path out.
// Pure. Whatever is not understood to the last bit is left to the kernel, which answers with the
// program's own rights.

#ifndef QEMU_SHIM_SECCOMP_CALL_H_
#define QEMU_SHIM_SECCOMP_CALL_H_

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "qemu-shim/client/request.h"

namespace openhook::seccomp {

struct Call {
  enum class Kind : std::uint8_t { kOpen, kOpenHow, kStat, kStatx, kAccess, kUnlink, kReadlink };
  Kind kind = Kind::kOpen;
  int dirfd = AT_FDCWD;
  std::uint64_t path = 0;   // address in the program, like the next one
  std::uint64_t other = 0;  // kOpenHow: the open_how; kStat, kStatx: where the result goes
  int flags = 0;            // kOpen: of open(2)
  mode_t mode = 0;          // kOpen: for a new file; kAccess: of access(2)
  client::Links links = client::Links::kFollow;  // kStat, kStatx
};

// Nothing for a call that is the kernel's alone.
std::optional<Call> DecodeCall(const seccomp_data& data);

// A kOpenHow becomes a kOpen. Nothing where the resolution of the path is restricted in a way that
// the broker cannot promise.
std::optional<Call> WithHow(Call call, const open_how& how);

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_CALL_H_
