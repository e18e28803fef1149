// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The first connection to the broker, made by the confined launcher so that its credentials and its
// label are the program's.

#ifndef QEMU_SHIM_LAUNCHER_GREETING_H_
#define QEMU_SHIM_LAUNCHER_GREETING_H_

#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::launcher {

// Connects to `socket_path` and says Hello in the name of `program`. Errors name the socket and
// what to look at: kUnavailable when nobody listens, kPermission when the broker refuses.
Result<UniqueFd> ConnectAndGreet(const std::string& socket_path, const std::string& program);

// Moves a descriptor up, out of the range that programs number their own files in, and lets it
// survive exec. Done here because it costs milliseconds in a process that has threads.
Result<UniqueFd> PlaceHigh(UniqueFd fd);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_GREETING_H_
