// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the kernel gives us.

#ifndef BROKER_DOCTOR_KERNEL_H_
#define BROKER_DOCTOR_KERNEL_H_

#include "broker/doctor/finding.h"

namespace openhook::doctor {

Findings CheckKernel();

}  // namespace openhook::doctor

#endif  // BROKER_DOCTOR_KERNEL_H_
