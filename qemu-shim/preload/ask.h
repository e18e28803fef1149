// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One question to the broker over the connection of this process (client/exchange.h).

#ifndef QEMU_SHIM_PRELOAD_ASK_H_
#define QEMU_SHIM_PRELOAD_ASK_H_

#include "qemu-shim/client/exchange.h"

namespace openhook::preload {

// The broker that the settings name.
client::Endpoint BrokerEndpoint();

// Sets the request's id.
void Ask(openhook_proto_Request* request, client::Answer* answer);

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_ASK_H_
