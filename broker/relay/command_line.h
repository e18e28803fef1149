// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The block nodes that QEMU has from its start, read from the command line that the launcher was
// given: -blockdev, -drive and the drive= of -device.

#ifndef BROKER_RELAY_COMMAND_LINE_H_
#define BROKER_RELAY_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "broker/relay/state.h"

namespace openhook::relay {

// What cannot be understood is left out; commands that need it are refused then.
State StateAtStart(const std::vector<std::string>& arguments, const std::string& cwd);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_COMMAND_LINE_H_
