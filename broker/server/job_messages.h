// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Jobs and chain records between control.proto and the broker's own types.

#ifndef BROKER_SERVER_JOB_MESSAGES_H_
#define BROKER_SERVER_JOB_MESSAGES_H_

#include <optional>

#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "proto/control.pb.h"

namespace openhook::server {

// Errors: kInvalidArgument when the kind, or the access of a target, is not known.
Result<WantedJob> FromWire(const proto::JobBeginRequest& request);

// Absent: not one of those that end a job.
std::optional<whitelist::JobState> OutcomeFromWire(proto::JobState state);

void ToWire(const whitelist::Job& job, proto::JobInfo* info);
void ToWire(const whitelist::ChainRecord& chain, proto::ChainInfo* info);

}  // namespace openhook::server

#endif  // BROKER_SERVER_JOB_MESSAGES_H_
