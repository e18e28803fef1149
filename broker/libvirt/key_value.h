// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lines "key = value", as the files of this room have them: '#' begins a comment, values may stand
// in double quotes.

#ifndef BROKER_LIBVIRT_KEY_VALUE_H_
#define BROKER_LIBVIRT_KEY_VALUE_H_

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::libvirt {

struct KeyValue {
  std::size_t line = 0;
  std::string key;  // small letters, '-' and '_'
  std::string value;
};

// Errors: kInvalidArgument with the line.
Result<std::vector<KeyValue>> ParseKeyValues(std::string_view text);

tl::unexpected<Error> FaultInLine(std::size_t line, const std::string& why);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_KEY_VALUE_H_
