// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A plan for people and for programs: what plan and adopt print.

#ifndef BROKER_CTL_PLAN_OUTPUT_H_
#define BROKER_CTL_PLAN_OUTPUT_H_

#include <string>

#include "broker/ctl/host_plan.h"
#include "broker/ctl/json_output.h"

namespace openhook::ctl {

Json PlanToJson(const HostPlan& plan);
std::string RenderPlan(const HostPlan& plan);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_PLAN_OUTPUT_H_
