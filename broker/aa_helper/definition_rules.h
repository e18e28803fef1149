// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The rules that a definition stands for: a line for each file of its plan, and what libvirt's own
// helper writes for every machine (log, monitor, pid file), in the same words.

#ifndef BROKER_AA_HELPER_DEFINITION_RULES_H_
#define BROKER_AA_HELPER_DEFINITION_RULES_H_

#include <string>
#include <vector>

#include "broker/aa_helper/rule.h"
#include "broker/aa_helper/vm_rules.h"
#include "broker/base/result.h"
#include "broker/ctl/host_plan.h"
#include "broker/domain/forbidden.h"
#include "broker/domain/plan.h"

namespace openhook::aa_helper {

// How libvirt spells the directories of a machine that runs: ID-NAME, or -1-NAME of one that does
// not. `short_name` is the plan's.
std::string DirectoryName(const std::string& name, const std::string& short_name);

// What every machine of that name gets. Nothing of it is an image.
std::vector<Rule> RulesOfEveryMachine(const std::string& name, const std::string& short_name);

// Images that this host's root may not look at (on NFS) are given as they are spelled, without what
// they stand on, as libvirt's helper does. Sentences about it for people.
std::vector<std::string> TakeUnreadableAsSpelled(const domain::Plan& plan,
                                                 const domain::ForbiddenPaths& forbidden,
                                                 ctl::HostPlan* on_host);

// Errors: kPermission for a file that no machine may have, with libvirt's words and the reason.
Result<std::vector<Rule>> RulesOfPlan(const ctl::HostPlan& plan);

// libvirt tells the end of a copy or an active commit with a definition that still has both sides
// (its "mirror" without a job). Then QEMU holds one side alone: takes the other one out of the
// plan.
void LeaveOutFinishedSides(const Moment& moment, ctl::HostPlan* plan);

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_DEFINITION_RULES_H_
