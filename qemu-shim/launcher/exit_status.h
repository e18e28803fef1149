// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How openhook-qemu ends when the program did not start; 126 and 127 are the shell's words for it.

#ifndef QEMU_SHIM_LAUNCHER_EXIT_STATUS_H_
#define QEMU_SHIM_LAUNCHER_EXIT_STATUS_H_

namespace openhook::launcher {

inline constexpr int kExitRefused = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitCannotExecute = 126;
inline constexpr int kExitNotFound = 127;

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_EXIT_STATUS_H_
