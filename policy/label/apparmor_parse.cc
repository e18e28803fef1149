// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/apparmor_parse.h"

#include <algorithm>

#include "broker/base/text.h"

namespace openhook::label {

namespace {

constexpr std::string_view kUnconfined = "unconfined";

AppArmorMode ModeFrom(std::string_view word) {
  if (word == "enforce") {
    return AppArmorMode::kEnforce;
  }
  if (word == "complain") {
    return AppArmorMode::kComplain;
  }
  return word == kUnconfined ? AppArmorMode::kUnconfined : AppArmorMode::kOther;
}

std::string_view WithoutEnd(std::string_view text) {
  for (const char end : {'\0', '\n'}) {
    if (!text.empty() && text.back() == end) {
      text.remove_suffix(1);
    }
  }
  return text;
}

tl::unexpected<Error> Unlike(std::string_view text, const AppArmorDemand& demand,
                             std::string_view why) {
  return Fail(ErrorCode::kPermission,
              "this socket serves the AppArmor label " + Quote(demand.profile + " (enforce)") +
                  " only; the peer is " + Quote(WithoutEnd(text), 300) + std::string(why));
}

}  // namespace

Result<AppArmorLabel> ParseAppArmorLabel(std::string_view text) {
  const std::string_view label = WithoutEnd(text);
  if (label == kUnconfined) {
    return AppArmorLabel{std::string(label), AppArmorMode::kUnconfined};
  }
  const std::size_t open = label.rfind(" (");
  const bool has_mode = open != std::string_view::npos && open > 0 && label.back() == ')';
  const std::string_view mode =
      has_mode ? label.substr(open + 2, label.size() - open - 3) : std::string_view();
  const bool is_word =
      std::all_of(mode.begin(), mode.end(), [](char byte) { return byte >= 'a' && byte <= 'z'; });
  if (mode.empty() || !is_word || label.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kCorrupt, Quote(text, 300) + " is no AppArmor label");
  }
  return AppArmorLabel{std::string(label.substr(0, open)), ModeFrom(mode)};
}

Result<AppArmorLabel> MeetAppArmorDemand(std::string_view text, const AppArmorDemand& demand) {
  auto label = ParseAppArmorLabel(text);
  if (!label) {
    return Unlike(text, demand, ", which is no label that AppArmor gives");
  }
  if (label->mode == AppArmorMode::kUnconfined) {
    return Unlike(text, demand, "; QEMU has to be started in its profile");
  }
  if (label->IsStacked()) {
    return Unlike(text, demand, ", several profiles at once");
  }
  if (label->name != demand.profile) {
    return Unlike(text, demand, ", another profile");
  }
  if (label->mode == AppArmorMode::kComplain && demand.complain == ComplainMode::kRefused) {
    return Unlike(text, demand,
                  ", a profile that only complains; enforce it (aa-enforce), or start openhookd "
                  "with --accept-complain");
  }
  if (label->mode == AppArmorMode::kOther) {
    return Unlike(text, demand, ", a mode that is not accepted");
  }
  return label;
}

}  // namespace openhook::label
