// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The system calls that are left to the planning process.

#ifndef BROKER_PLAN_CALL_FILTER_H_
#define BROKER_PLAN_CALL_FILTER_H_

#include "broker/base/result.h"

namespace openhook::plan {

// In force for the calling thread, for good. Every call that is not on the list ends the process
// with SIGSYS. Needs no_new_privs.
Result<void> InstallCallFilter();

}  // namespace openhook::plan

#endif  // BROKER_PLAN_CALL_FILTER_H_
