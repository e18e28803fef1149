// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whether libvirtd feeds the brokers: the lock driver, the hook, and the settings that matter.

#ifndef BROKER_DOCTOR_LIBVIRT_H_
#define BROKER_DOCTOR_LIBVIRT_H_

#include <string_view>

#include "broker/adopt/virsh.h"
#include "broker/doctor/finding.h"
#include "broker/doctor/host_paths.h"

namespace openhook::doctor {

// Without asking libvirtd.
Findings CheckFeed(const HostPaths& paths);

// Whether it answers, and which versions there are.
Findings CheckDaemon(const adopt::Virsh& virsh);
// Pure: from what virsh version says.
Findings CheckVersions(std::string_view versions);

}  // namespace openhook::doctor

#endif  // BROKER_DOCTOR_LIBVIRT_H_
