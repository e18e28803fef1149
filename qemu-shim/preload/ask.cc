// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/ask.h"

#include "qemu-shim/preload/process_state.h"

namespace openhook::preload {

client::Endpoint BrokerEndpoint() {
  const Settings& settings = ProcessSettings();
  return {settings.socket, "libopenhook-preload", settings.wait_ms};
}

void Ask(openhook_proto_Request* request, client::Answer* answer) {
  const client::Endpoint endpoint = BrokerEndpoint();
  ConnectionTurn turn;
  request->id = turn.NextId();
  client::Exchange(*request, endpoint, turn.Slot(), answer);
}

}  // namespace openhook::preload
