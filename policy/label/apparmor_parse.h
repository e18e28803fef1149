// SPDX-License-Identifier: LGPL-2.1-or-later
//
// AppArmor's text for a label, as /proc/PID/attr/current and SO_PEERSEC give it: "NAME (MODE)", or
// "unconfined". Pure: bytes in, a verdict out. A name may hold any byte but NUL, parentheses and
// spaces included, so only the last pair of them is the mode.

#ifndef POLICY_LABEL_APPARMOR_PARSE_H_
#define POLICY_LABEL_APPARMOR_PARSE_H_

#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace openhook::label {

enum class AppArmorMode : std::uint8_t {
  kEnforce,
  kComplain,
  kUnconfined,  // no profile, or one that allows all
  kOther,       // kill, prompt, user, mixed
};

struct AppArmorLabel {
  std::string name;
  AppArmorMode mode = AppArmorMode::kOther;

  // Several profiles at once ("A//&B"): never what a VM has.
  [[nodiscard]] bool IsStacked() const { return name.find("//&") != std::string::npos; }
};

// One newline at the end (attr/current) is no part of it, and one NUL neither. Errors: kCorrupt for
// what is no label.
Result<AppArmorLabel> ParseAppArmorLabel(std::string_view text);

// What a peer must have.
enum class ComplainMode : std::uint8_t { kRefused, kAccepted };
struct AppArmorDemand {
  std::string profile;
  ComplainMode complain = ComplainMode::kRefused;
};

// Is `text` exactly the demanded profile, alone, and in a mode that is accepted? Errors:
// kPermission; which label met what, and the remedy.
Result<AppArmorLabel> MeetAppArmorDemand(std::string_view text, const AppArmorDemand& demand);

}  // namespace openhook::label

#endif  // POLICY_LABEL_APPARMOR_PARSE_H_
