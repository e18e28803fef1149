// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The environment of the program: that of the launcher, with what the shim needs (settings.h of the
// preload library names the variables).

#ifndef QEMU_SHIM_LAUNCHER_ENVIRONMENT_H_
#define QEMU_SHIM_LAUNCHER_ENVIRONMENT_H_

#include <optional>
#include <string>
#include <vector>

#include "qemu-shim/launcher/options.h"

namespace openhook::launcher {

// What the preload library is and gets.
struct PreloadVariables {
  std::string library;
  int socket = -1;
};

// As "NAME=value" words. Libraries already in LD_PRELOAD stay, behind ours.
std::vector<std::string> ComposeEnvironment(const std::vector<std::string>& inherited,
                                            const Options& options,
                                            const std::optional<PreloadVariables>& preload);

// What the options give to the program itself, with colons in between: opened without the broker.
std::string NativePaths(const Options& options);

// OPENHOOK_WAIT_MS of this process, or its default: as the preload library takes it.
std::string WaitMilliseconds();

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_ENVIRONMENT_H_
