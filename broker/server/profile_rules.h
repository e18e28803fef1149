// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What of a whitelist a VM's AppArmor profile has to say. Exactly what the broker would hand out: a
// read-only rule for what is readable, which includes files of ended leases that the VM still
// holds, and nothing for what is stale.

#ifndef BROKER_SERVER_PROFILE_RULES_H_
#define BROKER_SERVER_PROFILE_RULES_H_

#include "broker/whitelist/whitelist.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::server {

apparmor::Rules RulesOf(const whitelist::Whitelist& whitelist);
// Of what a change adds.
apparmor::Rules RulesOf(const whitelist::Change& change);

// Adds `more` to `rules`; of two accesses to one file the wider one stays.
void AddRules(const apparmor::Rules& more, apparmor::Rules* rules);

}  // namespace openhook::server

#endif  // BROKER_SERVER_PROFILE_RULES_H_
