// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A process's umask as /proc/PID/status tells it. umask(2) can only be read by setting it.

#ifndef QEMU_SHIM_CLIENT_UMASK_H_
#define QEMU_SHIM_CLIENT_UMASK_H_

#include <sys/types.h>

#include <string_view>

namespace openhook::client {

// What is assumed where it cannot be read: a file with too few rights is an annoyance, one with too
// many a hole.
inline constexpr mode_t kStrictestUmask = 077;

// "Umask:" is the second line, after the name of at most 64 bytes.
inline constexpr std::size_t kStatusBytesForUmask = 256;

// `status` is the beginning of the file.
mode_t UmaskInStatus(std::string_view status);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_UMASK_H_
