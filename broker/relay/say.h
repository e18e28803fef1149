// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the relay says of itself, on stderr: under a manager that is QEMU's log.

#ifndef BROKER_RELAY_SAY_H_
#define BROKER_RELAY_SAY_H_

#include <string>

namespace openhook::relay {

void Say(const std::string& sentence);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_SAY_H_
