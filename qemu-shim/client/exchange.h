// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One question to the broker and its answer, across restarts of the broker: when the connection
// breaks, a new one is made and the same bytes are sent again, until the endpoint's time is over.
// Repeating is harmless: a create request carries a token by which the broker knows it again.

#ifndef QEMU_SHIM_CLIENT_EXCHANGE_H_
#define QEMU_SHIM_CLIENT_EXCHANGE_H_

#include <cstdint>

#include "broker/base/unique_fd.h"
#include "proto/openhook.pb_c.h"
#include "qemu-shim/client/broker_connection.h"
#include "qemu-shim/client/packet.h"

namespace openhook::client {

enum class Verdict : std::uint8_t {
  kOk,
  kNotMine,         // do it with your own rights
  kDenied,          // the policy says no
  kFailed,          // allowed, and failed
  kDescriptorLost,  // the broker sent it, the kernel dropped it on its way in
  kUnreachable,     // no broker answered in time, or it does not want this program
};

struct Answer {
  Verdict verdict = Verdict::kUnreachable;
  int sys_errno = 0;           // for the program; never EINTR; 0 with kOk and kNotMine
  UniqueFd descriptor;         // with kOk, where the question was for one
  openhook_proto_Reply reply;  // its reason and stat, except with kUnreachable
};

// Sends `request` over the connection in `slot`, which is made or replaced as needed. `request`
// must have its id.
void Exchange(const openhook_proto_Request& request, const Endpoint& endpoint, ConnectionSlot* slot,
              Answer* answer);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_EXCHANGE_H_
