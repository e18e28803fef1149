// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/descriptor_limit.h"

#include <sys/resource.h>

#include "broker/base/limits.h"

namespace openhook::server {

namespace {

// Every session may have its socket and the descriptor that it is sent, one of QEMU's also two for
// its peer's process; the store, the logs, the
// listeners and the loop have theirs.
constexpr std::size_t kForServing =
    4 * limits::kMaxOpenSessions + 2 * limits::kMaxControlSessions + 64;

}  // namespace

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

std::size_t WriteLockCapacity() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kForServing) {
    return 0;
  }
  return limit.rlim_cur - kForServing;
}

}  // namespace openhook::server
