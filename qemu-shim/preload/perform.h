// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one place that decides between the kernel and the broker for a call: RouteForPath() says who
// is asked first, Perform() asks, and asks the other one where that can help.

#ifndef QEMU_SHIM_PRELOAD_PERFORM_H_
#define QEMU_SHIM_PRELOAD_PERFORM_H_

#include <cerrno>

#include "qemu-shim/client/routing.h"
#include "qemu-shim/preload/questions.h"

namespace openhook::preload {

using client::Route;

// `dirfd` as in openat(2). Only AT_FDCWD and absolute paths can be the broker's: a name relative to
// a descriptor belongs to whoever got that descriptor.
Route RouteForPath(int dirfd, const char* path);

// `native()` returns what libc does (negative and errno on failure); `broker(voice)` returns Asked.
// errno is left alone on success, as libc's own functions do on these paths.
template <class Native, class Broker>
int Perform(Route route, Native native, Broker broker) {
  const int errno_before = errno;
  if (route == Route::kBrokerFirst) {
    const Asked asked = broker(Voice::kAloud);
    if (asked.kind == Asked::Kind::kNotMine) {
      return native();
    }
    if (asked.kind == Asked::Kind::kDone) {
      errno = errno_before;
    }
    return asked.value;
  }
  const int value = native();
  if (value >= 0 || route == Route::kNativeOnly || (errno != EACCES && errno != EPERM)) {
    return value;
  }
  const int native_errno = errno;
  const Asked asked = broker(Voice::kQuiet);
  errno = asked.kind == Asked::Kind::kDone ? errno_before : native_errno;
  return asked.value;
}

}  // namespace openhook::preload

#endif  // QEMU_SHIM_PRELOAD_PERFORM_H_
