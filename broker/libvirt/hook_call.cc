// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/hook_call.h"

#include <algorithm>

namespace openhook::libvirt {

namespace {

constexpr std::string_view kOpening = "<uuid>";
constexpr std::string_view kClosing = "</uuid>";
constexpr std::string_view kIdOpening = " id='";
constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool IsUuid(std::string_view text) {
  return std::equal(text.begin(), text.end(), kForm.begin(), kForm.end(), [](char c, char form) {
    return form == '-' ? c == '-' : kHexDigits.find(c) != std::string_view::npos;
  });
}

}  // namespace

Phase PhaseOf(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) {
    return Phase::kOther;
  }
  const std::string& operation = arguments[1];
  if (operation == "start") {
    return Phase::kStart;
  }
  if (operation == "reconnect") {
    return Phase::kReconnect;
  }
  return operation == "release" ? Phase::kRelease : Phase::kOther;
}

// A name or a title that holds such text has it escaped.
std::string UuidOf(std::string_view definition) {
  const auto begin = definition.find(kOpening);
  const auto end = definition.find(kClosing, begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) {
    return "";
  }
  const std::string_view uuid =
      definition.substr(begin + kOpening.size(), end - begin - kOpening.size());
  return IsUuid(uuid) ? std::string(uuid) : "";
}

std::string IdOf(std::string_view definition) {
  const std::string_view element = definition.substr(0, definition.find('>'));
  const auto begin = element.find(kIdOpening);
  if (begin == std::string_view::npos) {
    return "";
  }
  const std::string_view rest = element.substr(begin + kIdOpening.size());
  const std::string_view id = rest.substr(0, rest.find('\''));
  return id.find_first_not_of("0123456789") == std::string_view::npos ? std::string(id) : "";
}

}  // namespace openhook::libvirt
