// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a definition's text to its plan, by the sandboxed openhook-plan beside this program.

#ifndef BROKER_CTL_MAKE_PLAN_H_
#define BROKER_CTL_MAKE_PLAN_H_

#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/ctl/host_plan.h"
#include "broker/domain/domain.h"
#include "broker/domain/forbidden.h"

namespace openhook::ctl {

inline constexpr const char* kDefaultForbiddenList = "default";

// The list in this file; kDefaultForbiddenList is the one compiled in.
Result<domain::ForbiddenPaths> ReadForbidden(const std::string& file);

// "warn", "read", "read-write".
domain::CommandLine CommandLineOf(const std::string& word);

// What the definition says by itself. Errors: those of plan::RunPlanner().
Result<domain::Plan> ReadDefinition(std::string_view xml,
                                    domain::CommandLine command_line = domain::CommandLine::kWarn);

// A refusal in it is the error, with all refusals. Warnings are not looked at.
Result<void> CheckRefused(const HostPlan& plan);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_MAKE_PLAN_H_
