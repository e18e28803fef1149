// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/umask.h"

namespace openhook::client {

mode_t UmaskInStatus(std::string_view status) {
  constexpr std::string_view kField = "\nUmask:\t";
  const std::size_t at = status.find(kField);
  if (at == std::string_view::npos) {
    return kStrictestUmask;
  }
  mode_t value = 0;
  for (std::size_t i = at + kField.size(); i < status.size(); ++i) {
    if (status[i] < '0' || status[i] > '7') {
      break;
    }
    value = value * 8 + static_cast<mode_t>(status[i] - '0');
  }
  return value;
}

}  // namespace openhook::client
