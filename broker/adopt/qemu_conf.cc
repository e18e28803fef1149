// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/qemu_conf.h"

#include "broker/adopt/lines.h"

namespace openhook::adopt {

namespace {

constexpr std::string_view kAdded = "  # openhook";
constexpr std::string_view kReplaced = "# replaced by openhook: ";

// The right side, where the line sets the key.
std::optional<std::string_view> ValueOn(std::string_view line, std::string_view key) {
  line = Trimmed(line);
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos || Trimmed(line.substr(0, equals)) != key) {
    return std::nullopt;
  }
  return Trimmed(line.substr(equals + 1));
}

std::string Unquoted(std::string_view value) {
  if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
    const std::string_view inside = value.substr(1);
    return std::string(inside.substr(0, inside.find(value.front())));
  }
  return std::string(Trimmed(value.substr(0, value.find('#'))));
}

}  // namespace

std::optional<std::string> QemuConfValue(std::string_view text, std::string_view key) {
  std::optional<std::string> value;
  for (const std::string_view line : LinesOf(text)) {
    if (const auto here = ValueOn(line, key)) {
      value = Unquoted(*here);
    }
  }
  return value;
}

std::string WithOurLine(std::string_view text, std::string_view key, std::string_view value) {
  std::string result;
  for (const std::string_view line : LinesOf(text)) {
    if (line.ends_with(kAdded) && ValueOn(line, key)) {
      continue;
    }
    result += (ValueOn(line, key) ? std::string(kReplaced) : "") + std::string(line) + "\n";
  }
  return result + std::string(key) + " = \"" + std::string(value) + "\"" + std::string(kAdded) +
         "\n";
}

std::string WithoutOurLine(std::string_view text) {
  std::string result;
  for (std::string_view line : LinesOf(text)) {
    if (line.ends_with(kAdded)) {
      continue;
    }
    if (line.starts_with(kReplaced)) {
      line.remove_prefix(kReplaced.size());
    }
    result.append(line).append("\n");
  }
  return result;
}

}  // namespace openhook::adopt
