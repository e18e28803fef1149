// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A plan as what the broker is asked to grant: a request for each disk, whose chain is recorded
// under its own lease ("device:vda"), and one with everything else under the lease "domain".

#ifndef BROKER_CTL_PLAN_GRANTS_H_
#define BROKER_CTL_PLAN_GRANTS_H_

#include <string>
#include <vector>

#include "broker/ctl/host_plan.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

struct PlanGrants {
  std::vector<proto::GrantRequest> requests;
  // What of the plan is not asked for, and why: sockets, directories to be listed, files that are
  // not there.
  std::vector<std::string> left_out;
};

PlanGrants GrantsOfPlan(const HostPlan& plan);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_PLAN_GRANTS_H_
