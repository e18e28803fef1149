// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a manager's words to a grant with a pinned identity: follows symlinks once, refuses what no
// VM may have, checks that the file is the one the manager saw.

#ifndef BROKER_SERVER_GRANT_RESOLVER_H_
#define BROKER_SERVER_GRANT_RESOLVER_H_

#include <string>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "broker/whitelist/grant.h"

namespace openhook::server {

// Errors name the path and the remedy.
Result<whitelist::Grant> ResolveGrant(const WantedGrant& wanted, const std::string& lease,
                                      const Options& options);

}  // namespace openhook::server

#endif  // BROKER_SERVER_GRANT_RESOLVER_H_
