// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Finds events that a watcher did not get: the broker numbers them without a gap, and drops those
// that a slow watcher has no room for.

#ifndef BROKER_CTL_EVENT_GAP_H_
#define BROKER_CTL_EVENT_GAP_H_

#include <cstdint>

namespace openhook::ctl {

class EventGap {
 public:
  // How many events are missing between the one of the last call and `seq`. 0 for the first call:
  // nobody promised what came before. A number that does not rise is no gap: the broker sends an
  // event again when it was repeated, and counts from the beginning after a restart.
  std::uint64_t Before(std::uint64_t seq) {
    const std::uint64_t missing = last_ != 0 && seq > last_ ? seq - last_ - 1 : 0;
    last_ = seq;
    return missing;
  }

 private:
  std::uint64_t last_ = 0;
};

}  // namespace openhook::ctl

#endif  // BROKER_CTL_EVENT_GAP_H_
