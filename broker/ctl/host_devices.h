// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Answers what only the host knows of the devices that a definition names by their place: below
// /sys, by the kernel's own words.

#ifndef BROKER_CTL_HOST_DEVICES_H_
#define BROKER_CTL_HOST_DEVICES_H_

#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/domain/plan.h"

namespace openhook::ctl {

// The files that the device consists of for QEMU: its own VFIO group and no other one, its node.
// `root` stands before /sys and /dev where they are looked at; empty for the host's own.
// Errors: kNotFound with a sentence when the host has no such device, or does not say.
Result<std::vector<std::string>> FindDevice(const domain::DeviceQuestion& question,
                                            const std::string& root);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_HOST_DEVICES_H_
