// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a manager's words to a grant, around the look at the file system that pins its identity
// (broker/worker/pin_job.h): what has to be looked at, and what is granted after it.

#ifndef BROKER_SERVER_GRANT_RESOLVER_H_
#define BROKER_SERVER_GRANT_RESOLVER_H_

#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "broker/whitelist/grant.h"
#include "broker/worker/pin_job.h"

namespace openhook::server {

// Errors: kInvalidArgument for a name that is no absolute path.
Result<worker::PinJob> PinJobFor(const std::vector<WantedGrant>& wanted, const Options& options);

// `pinned` is what came of the job, in the same order.
std::vector<whitelist::Grant> GrantsFrom(const std::vector<WantedGrant>& wanted,
                                         const std::string& lease,
                                         std::vector<worker::Pinned> pinned);

}  // namespace openhook::server

#endif  // BROKER_SERVER_GRANT_RESOLVER_H_
