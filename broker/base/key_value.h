// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Lines "key = value", as openhook's own small files have them: '#' begins a comment, values may
// stand in double quotes.

#ifndef BROKER_BASE_KEY_VALUE_H_
#define BROKER_BASE_KEY_VALUE_H_

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook {

struct KeyValue {
  std::size_t line = 0;
  std::string key;  // small letters, '-' and '_'
  std::string value;
};

// Errors: kInvalidArgument with the line.
Result<std::vector<KeyValue>> ParseKeyValues(std::string_view text);

// A line that ParseKeyValues() reads as just that. `value` is not empty, and has no newline.
std::string FormatKeyValue(std::string_view key, std::string_view value);

tl::unexpected<Error> FaultInLine(std::size_t line, const std::string& why);

}  // namespace openhook

#endif  // BROKER_BASE_KEY_VALUE_H_
