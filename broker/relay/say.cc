// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/say.h"

#include <iostream>

namespace openhook::relay {

void Say(const std::string& sentence) {
  std::cerr << "openhook-relay: " << sentence << "\n" << std::flush;
}

}  // namespace openhook::relay
