// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The control plane: what administrators and managers may ask on control.sock, for one connection.
// The only place from which a whitelist grows.

#ifndef BROKER_SERVER_CONTROL_HANDLER_H_
#define BROKER_SERVER_CONTROL_HANDLER_H_

#include <functional>
#include <memory>

#include "broker/server/broker.h"
#include "broker/server/packet_handler.h"
#include "proto/control.pb.h"

namespace openhook::server {

// What a status request needs and a Broker does not know: filled in by the program.
using FillStatus = std::function<void(proto::StatusReply*)>;

// `peer` must be root, the broker's own user or a member of the control group; any other gets a
// handler that answers its first packet with the reason and closes.
std::unique_ptr<PacketHandler> MakeControlHandler(Broker* broker, const Result<Peer>& peer,
                                                  PushPacket push, FillStatus fill_status);

}  // namespace openhook::server

#endif  // BROKER_SERVER_CONTROL_HANDLER_H_
