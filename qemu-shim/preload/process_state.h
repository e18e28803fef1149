// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the whole process shares: the settings, and one connection with a mutex. Who may use it:
//   - any thread, one at a time;
//   - not a signal handler that interrupted its own thread inside: it would wait for itself;
//   - not the child of vfork, or of a raw clone(2): it runs in (or on a copy of) its parent's
//     memory without that fork handlers ran; its pid tells it;
//   - the child of fork: yes, but with a connection of its own, since the parent's carries the
//     parent's requests.
// Whoever may not makes a connection for one request and writes nothing that is shared.

#ifndef QEMU_SHIM_PRELOAD_PROCESS_STATE_H_
#define QEMU_SHIM_PRELOAD_PROCESS_STATE_H_

#include <cstdint>

#include "qemu-shim/client/broker_connection.h"
#include "qemu-shim/preload/settings.h"

namespace openhook::preload {

// Reads the settings, adopts the launcher's connection and registers the fork handler, once. Runs
// when the library is loaded, or before, when another library's constructor opens a file.
const Settings& ProcessSettings();

// The right to use a connection, for the time of one request.
class ConnectionTurn {
 public:
  ConnectionTurn();
  ~ConnectionTurn();
  ConnectionTurn(const ConnectionTurn&) = delete;
  ConnectionTurn& operator=(const ConnectionTurn&) = delete;

  [[nodiscard]] client::ConnectionSlot* Slot();
  // A number for the request, not used before on this connection.
  [[nodiscard]] std::uint64_t NextId();

 private:
  bool shared_ = false;
  int cancel_state_ = 0;
  client::ConnectionSlot own_;
};

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_PROCESS_STATE_H_
