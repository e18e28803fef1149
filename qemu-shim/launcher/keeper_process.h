// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Starts openhook-notifier as a process that is nobody's child here: the program gets this process
// later, and must not find a child, or a SIGCHLD, that it does not know.

#ifndef QEMU_SHIM_LAUNCHER_KEEPER_PROCESS_H_
#define QEMU_SHIM_LAUNCHER_KEEPER_PROCESS_H_

#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::launcher {

struct KeeperArguments {
  std::string socket;
  std::string native_directories;
  std::string wait_ms;
};

// Executes `notifier` with nothing of ours but one end of a pair of sockets; returns the other.
Result<UniqueFd> StartKeeper(const UniqueFd& notifier, const KeeperArguments& arguments);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_KEEPER_PROCESS_H_
