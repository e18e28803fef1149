// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The notifications that were received and not answered yet, in memory that outlives the notifier.
// The kernel delivers a notification once: what a notifier that was killed had in its hands would
// wait for ever, if its successor did not find it here. So the kernel writes each one directly
// here, and it stays until it is answered.

#ifndef QEMU_SHIM_SECCOMP_IN_FLIGHT_H_
#define QEMU_SHIM_SECCOMP_IN_FLIGHT_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "broker/base/result.h"
#include "qemu-shim/seccomp/listener.h"

namespace openhook::seccomp {

// Notifications served at a time, each by a thread with a connection of its own. QEMU opens from
// one thread, two during a migration; the others are for helpers and for requests that hang.
inline constexpr std::size_t kWorkers = 8;

struct InFlightCall {
  Notification notification;
  std::uint64_t token;     // of a create request: the same when it is repeated
  std::uint32_t attempts;  // how many notifiers began with it
};

class InFlightTable {
 public:
  // Shared with every child of this process. Errors: the kernel's.
  static Result<InFlightTable> Make();

  InFlightCall& operator[](std::size_t index) { return calls_.get()[index]; }

 private:
  struct Unmap {
    void operator()(InFlightCall* calls) const;
  };
  explicit InFlightTable(InFlightCall* calls) : calls_(calls) {}

  std::unique_ptr<InFlightCall, Unmap> calls_;
};

// The kernel begins its numbers with a random one of 64 bits: 0 is as good as never one.
inline bool IsPending(const InFlightCall& call) { return call.notification.known.id != 0; }

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_IN_FLIGHT_H_
