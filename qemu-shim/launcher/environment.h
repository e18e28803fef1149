// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The environment of the program: that of the launcher, with what the shim needs (settings.h of the
// preload library names the variables).

#ifndef QEMU_SHIM_LAUNCHER_ENVIRONMENT_H_
#define QEMU_SHIM_LAUNCHER_ENVIRONMENT_H_

#include <string>
#include <vector>

#include "qemu-shim/launcher/options.h"

namespace openhook::launcher {

// As "NAME=value" words. Libraries already in LD_PRELOAD stay, behind ours.
std::vector<std::string> ComposeEnvironment(const std::vector<std::string>& inherited,
                                            const Options& options, const std::string& library,
                                            int socket);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_ENVIRONMENT_H_
