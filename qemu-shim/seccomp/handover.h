// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the launcher and the keeper say to each other over a pair of sockets, before the launcher
// becomes the program:
//   keeper to launcher   ready, and the keeper's process number
//   launcher to keeper   the listener
//   keeper to launcher   it is in my hands
// A keeper that fails says why, in a sentence, and ends.

#ifndef QEMU_SHIM_SECCOMP_HANDOVER_H_
#define QEMU_SHIM_SECCOMP_HANDOVER_H_

#include <sys/types.h>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::seccomp {

// Descriptor of the keeper's end of the pair, when it is executed.
inline constexpr int kKeeperSocket = 3;

// The launcher's side. Errors: the keeper's own sentence; kUnavailable when it ended without one.
Result<pid_t> AwaitReady(const UniqueFd& socket);
Result<void> HandOver(const UniqueFd& socket, UniqueFd listener);

// The keeper's side.
Result<void> SayReady(const UniqueFd& socket, pid_t keeper);
Result<UniqueFd> TakeListener(const UniqueFd& socket);
Result<void> Acknowledge(const UniqueFd& socket);
void SayFailed(const UniqueFd& socket, const Error& error);

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_HANDOVER_H_
