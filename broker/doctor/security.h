// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The security module, and the directories that nobody but root may write to.

#ifndef BROKER_DOCTOR_SECURITY_H_
#define BROKER_DOCTOR_SECURITY_H_

#include <string_view>

#include "broker/doctor/finding.h"
#include "broker/doctor/host_paths.h"

namespace openhook::doctor {

bool IsAppArmorInForce();
Findings CheckSecurityModule(const HostPaths& paths);
// Pure: from the kernel's list of profiles, "NAME (MODE)" lines.
Findings CheckProfiles(std::string_view profiles);

// Who makes the profiles of domains that keep libvirt's dynamic label. Nothing where libvirt has no
// helper.
Findings CheckAaHelper(const HostPaths& paths);

Findings CheckDirectories(const HostPaths& paths);

}  // namespace openhook::doctor

#endif  // BROKER_DOCTOR_SECURITY_H_
