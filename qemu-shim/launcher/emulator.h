// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-qemu as the <emulator> of a libvirt domain: it is called with QEMU's own arguments, has
// no options of ours, and stands for the QEMU of its own name, without "openhook-"
// (openhook-qemu-system-aarch64), or for that of this machine's architecture (openhook-qemu).

#ifndef QEMU_SHIM_LAUNCHER_EMULATOR_H_
#define QEMU_SHIM_LAUNCHER_EMULATOR_H_

#include <optional>
#include <string>
#include <vector>

#include "qemu-shim/launcher/options.h"

namespace openhook::launcher {

// Absent: `words` (with the program's own name) are a call with options of ours.
std::optional<Options> ParseEmulatorCall(const std::vector<std::string>& words);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_EMULATOR_H_
