// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The data plane: what QEMU's side may ask on open.sock, for one connection. Every request is one
// decision by the whitelist, one look at the file, and one audit event; nothing here can widen what
// the VM may do.

#ifndef BROKER_SERVER_OPEN_HANDLER_H_
#define BROKER_SERVER_OPEN_HANDLER_H_

#include <memory>

#include "broker/server/broker.h"
#include "broker/server/packet_handler.h"

namespace openhook::server {

// `peer` is checked against the VM's uid and label; one that does not match gets a handler that
// answers its first packet with the reason and closes.
std::unique_ptr<PacketHandler> MakeOpenHandler(Broker* broker, const Result<Peer>& peer);

}  // namespace openhook::server

#endif  // BROKER_SERVER_OPEN_HANDLER_H_
