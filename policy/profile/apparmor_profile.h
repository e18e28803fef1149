// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The text of a VM's AppArmor profile, made whole from its whitelist. Pure: no file is read, so
// every byte of it can be tested. A rule names one file with exactly the access that was granted;
// no pattern, no variable, and never "deny", which would win over what an administrator adds.

#ifndef POLICY_PROFILE_APPARMOR_PROFILE_H_
#define POLICY_PROFILE_APPARMOR_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"

namespace openhook::apparmor {

enum class RuleAccess : std::uint8_t {
  kRead,       // rk: QEMU locks what it reads, too
  kReadWrite,  // rwk; it covers making the file under this name
};

// What the profile gives beside its template: one access for each path.
using Rules = std::map<CanonicalPath, RuleAccess>;

// What is substituted in a template.
struct VmNames {
  std::string uuid;  // lower case; IsUuid()
  std::string name;  // the domain's; may be empty
  // libvirt's number of the running domain, in digits; empty: any. Two names may begin alike, and
  // the number is what tells their directories apart.
  std::string id;
};

// RFC 4122 text form in lower case: nothing else becomes a part of a profile's name.
bool IsUuid(std::string_view text);
// "libvirt-UUID", the name that libvirt looks for.
std::string ProfileName(std::string_view uuid);

// `bytes` as apparmor_parser takes them for themselves within double quotes: each byte that is not
// an ASCII letter, digit or slash as \ooo (apparmor.d(5), "globbing").
std::string EscapePath(std::string_view bytes);

// One line of a profile, indented.
std::string RenderRule(const CanonicalPath& path, RuleAccess access);

// The profile of a VM: `text` is a template that has the lines "profile OPENHOOK_TEMPLATE ... {"
// and "}" once each. In front of the former come the variables @{OPENHOOK_VM}, @{OPENHOOK_NAME},
// @{OPENHOOK_SHORT_NAME} (as in libvirt's directories) and @{OPENHOOK_ID} (the number in them, or a
// pattern for it), the rules come before the latter, and OPENHOOK_TEMPLATE becomes the profile's
// name wherever it stands. Errors: kInvalidArgument for a template without these lines and for
// names that are not what VmNames says.
Result<std::string> RenderProfile(std::string_view text, const VmNames& vm, const Rules& rules);

// An upper bound of the states that `rules` add to the automaton of a profile: each byte that a
// path does not share with the beginning of another one.
std::size_t StatesFor(const Rules& rules);

// Errors: kLimit, before the parser would say so in its own words: an automaton has at most 65535
// states, and the template needs some of them.
Result<void> CheckFits(const Rules& rules);

}  // namespace openhook::apparmor

#endif  // POLICY_PROFILE_APPARMOR_PROFILE_H_
