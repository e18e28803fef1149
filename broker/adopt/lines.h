// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The lines of small texts. Pure.

#ifndef BROKER_ADOPT_LINES_H_
#define BROKER_ADOPT_LINES_H_

#include <algorithm>
#include <string_view>
#include <vector>

namespace openhook::adopt {

// Without their newlines.
inline std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.push_back(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return lines;
}

// Without white space around it.
inline std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  const std::size_t end = text.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_LINES_H_
