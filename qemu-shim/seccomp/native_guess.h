// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Would the kernel refuse the program this path? The preload library tries and sees; a
// trapped call has one chance only. The notifier has the program's user and groups, so it can ask
// for the permissions, and Landlock's rules are those of the table of system paths. A wrong guess
// gives nobody anything: then the kernel, or the broker, says no.

#ifndef QEMU_SHIM_SECCOMP_NATIVE_GUESS_H_
#define QEMU_SHIM_SECCOMP_NATIVE_GUESS_H_

#include <cstdint>

namespace openhook::seccomp {

enum class WantedUse : std::uint8_t { kExistence, kLink, kRead, kWrite };

// `path` is absolute and NUL-terminated.
bool KernelWouldRefuse(const char* path, WantedUse use);

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_NATIVE_GUESS_H_
