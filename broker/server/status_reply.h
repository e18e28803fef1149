// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a broker says of itself: its options, its whitelist, its decisions.

#ifndef BROKER_SERVER_STATUS_REPLY_H_
#define BROKER_SERVER_STATUS_REPLY_H_

#include "broker/server/broker.h"
#include "proto/control.pb.h"

namespace openhook::server {

void FillBrokerStatus(Broker* broker, proto::StatusReply* reply);

}  // namespace openhook::server

#endif  // BROKER_SERVER_STATUS_REPLY_H_
