// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How long one request waits for a broker that is not there: it begins with the first failure, and
// the pauses between the tries grow from none to 50 ms.

#ifndef QEMU_SHIM_CLIENT_PATIENCE_H_
#define QEMU_SHIM_CLIENT_PATIENCE_H_

#include <cstdint>

namespace openhook::client {

class Patience {
 public:
  explicit Patience(int wait_ms) : wait_ms_(wait_ms) {}

  // Sleeps before the next try. False, at once, when there is no time left for one.
  bool Pause();

  // Waits until `socket` has something to read, or the time is over: then false.
  bool AwaitReadable(int socket);

 private:
  // Milliseconds until the end; starts the clock when it is asked for the first time.
  [[nodiscard]] std::int64_t Remaining();

  int wait_ms_;
  int pause_ms_ = 0;
  std::int64_t end_ms_ = -1;
};

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_PATIENCE_H_
