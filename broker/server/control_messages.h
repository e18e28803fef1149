// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Between control.proto and the broker's own types, in both directions.

#ifndef BROKER_SERVER_CONTROL_MESSAGES_H_
#define BROKER_SERVER_CONTROL_MESSAGES_H_

#include <vector>

#include "broker/audit/event.h"
#include "broker/base/result.h"
#include "broker/server/broker.h"
#include "proto/control.pb.h"

namespace openhook::server {

// Errors: kInvalidArgument when a grant has no known access.
Result<std::vector<WantedGrant>> FromWire(
    const google::protobuf::RepeatedPtrField<proto::GrantSpec>& specs);

void ToWire(const whitelist::Grant& grant, proto::GrantInfo* info);
void ToWire(const audit::Event& event, proto::Event* message);

}  // namespace openhook::server

#endif  // BROKER_SERVER_CONTROL_MESSAGES_H_
