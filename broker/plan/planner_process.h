// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parent's side: runs openhook-plan on one definition. The process gets the text in sealed
// memory, a pipe for its answer, memory for its complaints, an empty environment and no other
// descriptor; what it says is bounded in size and time. It is dead when the call returns.

#ifndef BROKER_PLAN_PLANNER_PROCESS_H_
#define BROKER_PLAN_PLANNER_PROCESS_H_

#include <chrono>
#include <string>
#include <string_view>

#include "broker/base/limits.h"
#include "broker/base/result.h"
#include "broker/domain/domain.h"
#include "broker/domain/plan.h"

namespace openhook::plan {

struct PlannerOptions {
  std::string program;  // absolute path of openhook-plan
  domain::CommandLine command_line = domain::CommandLine::kWarn;
  std::chrono::milliseconds deadline = std::chrono::seconds(limits::kPlanSeconds);
};

// Errors: those of domain::PlanDomain(); kUnavailable when the process could not be started, ended
// without an answer (with the signal) or took too long; kCorrupt for an answer that is none.
Result<domain::Plan> RunPlanner(const PlannerOptions& options, std::string_view xml);

}  // namespace openhook::plan

#endif  // BROKER_PLAN_PLANNER_PROCESS_H_
