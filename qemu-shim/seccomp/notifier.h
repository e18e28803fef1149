// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The process that answers: threads that each take a notification and serve it, so that one that
// hangs holds up no other. First they finish what a notifier before them left behind.

#ifndef QEMU_SHIM_SECCOMP_NOTIFIER_H_
#define QEMU_SHIM_SECCOMP_NOTIFIER_H_

#include "qemu-shim/seccomp/in_flight.h"
#include "qemu-shim/seccomp/listener.h"
#include "qemu-shim/seccomp/service.h"

namespace openhook::seccomp {

// Ends the process: with 0 when the last thread of the program is gone, with 1 when no thread could
// be started.
[[noreturn]] void RunNotifier(const Listener& listener, const Settings& settings,
                              InFlightTable* in_flight);

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_NOTIFIER_H_
