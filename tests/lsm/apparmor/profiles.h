// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Profiles of the tests, loaded into this kernel with AppArmor's own parser.

#ifndef TESTS_LSM_APPARMOR_PROFILES_H_
#define TESTS_LSM_APPARMOR_PROFILES_H_

#include <string>

namespace openhook::testing_support {

inline const std::string kVmProfile = "libvirt-11111111-2222-3333-4444-555555555555";
inline const std::string kOtherVmProfile = "libvirt-99999999-2222-3333-4444-555555555555";

// Throws when the parser refuses.
void LoadProfile(const std::string& text);
void RemoveProfile(const std::string& name);

// One that lets guest_client live, and has `rules` beside that. It may change to any profile: what
// stops it is to be the broker.
std::string ClientProfile(const std::string& name, const std::string& flags,
                          const std::string& rules);

}  // namespace openhook::testing_support

#endif  // TESTS_LSM_APPARMOR_PROFILES_H_
