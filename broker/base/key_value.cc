// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/key_value.h"

#include <algorithm>

#include "broker/base/text.h"

namespace openhook {

namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool IsKey(std::string_view key) {
  return !key.empty() && key.front() != '-' && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
}

Result<KeyValue> ParseLine(std::string_view text, std::size_t line) {
  const auto equals = text.find('=');
  const std::string_view key = Trim(text.substr(0, equals));
  if (equals == std::string_view::npos || !IsKey(key)) {
    return FaultInLine(line, "is no 'key = value': " + Quote(text));
  }
  std::string_view value = Trim(text.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  if (value.empty() || value.find('\0') != std::string_view::npos) {
    return FaultInLine(line, "gives " + Quote(key) + " no value");
  }
  return KeyValue{line, std::string(key), std::string(value)};
}

}  // namespace

tl::unexpected<Error> FaultInLine(std::size_t line, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, "line " + std::to_string(line) + " " + why);
}

std::string FormatKeyValue(std::string_view key, std::string_view value) {
  const bool plain = Trim(value) == value && !value.starts_with('"');
  const std::string quote = plain ? "" : "\"";
  return std::string(key) + " = " + quote + std::string(value) + quote + "\n";
}

Result<std::vector<KeyValue>> ParseKeyValues(std::string_view text) {
  std::vector<KeyValue> values;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view content = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.empty() || content.front() == '#') {
      continue;
    }
    auto value = ParseLine(content, line);
    if (!value) {
      return tl::make_unexpected(value.error());
    }
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace openhook
