// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/rule.h"

#include <algorithm>

#include "policy/profile/apparmor_profile.h"

namespace openhook::aa_helper {

namespace {

constexpr std::string_view kLetters = "rwklm";
// Beside letters, digits and slashes: what no parser takes for anything but itself.
constexpr std::string_view kHarmless = "._-+:=~ ";
constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kPatternBytes = "*?[]{}^,@";

constexpr std::size_t kOctalBytes = 4;  // \\ooo

bool IsOctal(char byte) { return byte >= '0' && byte <= '7'; }

// The byte that \ooo at the beginning of `text` stands for.
std::optional<char> OctalByte(std::string_view text) {
  if (text.size() < kOctalBytes || text[0] != '\\' || !IsOctal(text[1]) || !IsOctal(text[2]) ||
      !IsOctal(text[3])) {
    return std::nullopt;
  }
  return static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
}

std::string ShownByte(char byte) {
  return kHarmless.find(byte) != std::string_view::npos
             ? std::string(1, byte)
             : apparmor::EscapePath(std::string_view(&byte, 1));
}

Rule SplitText(std::string_view text) {
  Rule rule;
  while (!text.empty()) {
    if (const auto byte = OctalByte(text)) {
      rule.path += *byte;
      text.remove_prefix(kOctalBytes);
    } else if (text[0] == '\\' || kPatternBytes.find(text[0]) != std::string_view::npos) {
      rule.pattern = text;
      break;
    } else {
      rule.path += text[0];
      text.remove_prefix(1);
    }
  }
  return rule;
}

}  // namespace

std::string Rule::Text() const { return apparmor::EscapePath(path) + pattern; }

std::string Rule::Shown() const {
  std::string shown;
  for (const char byte : path) {
    shown += ShownByte(byte);
  }
  for (std::string_view text = pattern; !text.empty();) {
    const auto byte = OctalByte(text);
    shown += byte ? ShownByte(*byte) : std::string(1, text[0]);
    text.remove_prefix(byte ? kOctalBytes : 1);
  }
  return shown;
}

std::string Union(std::string_view a, std::string_view b) {
  std::string perms;
  for (const char letter : kLetters) {
    if (a.find(letter) != std::string_view::npos || b.find(letter) != std::string_view::npos) {
      perms += letter;
    }
  }
  return perms;
}

std::string Without(std::string_view perms, std::string_view others) {
  std::string left;
  for (const char letter : perms) {
    if (others.find(letter) == std::string_view::npos) {
      left += letter;
    }
  }
  return left;
}

void AddTo(std::vector<Rule>* rules, const Rule& rule) {
  for (Rule& one : *rules) {
    if (one.path == rule.path && one.pattern == rule.pattern) {
      one.perms = Union(one.perms, rule.perms);
      return;
    }
  }
  rules->push_back(rule);
}

std::string PermsFor(const std::vector<Rule>& rules, const Rule& rule) {
  std::string perms;
  for (const Rule& one : rules) {
    if (one.path == rule.path && one.pattern == rule.pattern) {
      perms = Union(perms, one.perms);
    }
  }
  return perms;
}

std::string RenderLine(const Rule& rule) { return "  \"" + rule.Text() + "\" " + rule.perms + ","; }

std::optional<ParsedLine> ParseLine(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos || line[begin] != '"') {
    return std::nullopt;
  }
  const std::size_t end = line.find('"', begin + 1);
  const std::size_t comma = end == std::string_view::npos ? end : line.find(',', end);
  if (comma == std::string_view::npos) {
    return std::nullopt;
  }
  ParsedLine parsed{SplitText(line.substr(begin + 1, end - begin - 1)),
                    std::string(line.substr(comma + 1))};
  parsed.rule.perms = Union(line.substr(end + 1, comma - end - 1), "");
  if (!parsed.rule.path.starts_with('/') || parsed.rule.perms.empty()) {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace openhook::aa_helper
