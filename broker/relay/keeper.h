// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the relay that reads nothing: it holds the listening socket, the ways to QEMU and the
// memory, and starts a worker again that died. Managers that connect meanwhile wait in the queue.

#ifndef BROKER_RELAY_KEEPER_H_
#define BROKER_RELAY_KEEPER_H_

#include "broker/base/result.h"
#include "broker/relay/options.h"

namespace openhook::relay {

// Returns when QEMU is gone; the socket is removed then. Errors: only at the start.
Result<void> Keep(const Options& options);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_KEEPER_H_
