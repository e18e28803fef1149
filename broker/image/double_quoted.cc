// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/double_quoted.h"

namespace openhook::image {

std::string DoubleQuoted(std::string_view json) {
  std::string text;
  char quote = '\0';  // that ends the string that is open
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quote == '\0') {
      quote = c == '\'' || c == '"' ? c : '\0';
      text += quote == '\0' ? c : '"';
    } else if (c == quote) {
      quote = '\0';
      text += '"';
    } else if (c == '"') {
      text += "\\\"";
    } else if (c == '\\' && i + 1 < json.size()) {
      ++i;
      // JSON has no escape for the single quote; QEMU takes one in either kind of string.
      text += json[i] == '\'' ? "'" : std::string{'\\', json[i]};
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace openhook::image
