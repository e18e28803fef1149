// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/text.h"

namespace openhook {

std::string Escape(std::string_view bytes, std::size_t limit) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\' && c != '\'') {
      text.push_back(c);
    } else {
      text += "\\x";
      text.push_back(kHex[byte >> 4]);
      text.push_back(kHex[byte & 15]);
    }
  }
  if (bytes.size() > limit) {
    text += "...";
  }
  return text;
}

std::string Quote(std::string_view bytes, std::size_t limit) {
  return "'" + Escape(bytes, limit) + "'";
}

std::string OneLine(std::string_view sentence) {
  std::string text;
  for (const char c : sentence) {
    text += c == '\'' || c == '\\' ? std::string(1, c) : Escape({&c, 1});
  }
  return text;
}

std::string Plural(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace openhook
