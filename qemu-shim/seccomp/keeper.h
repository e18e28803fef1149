// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The process that holds the listener for as long as the program lives, and does nothing else that
// could go wrong: when the last listener is closed, every trapped call fails with ENOSYS for ever.
// It starts a notifier with the same listener, another one when that dies, and ends by itself when
// the last thread under the filter is gone.

#ifndef QEMU_SHIM_SECCOMP_KEEPER_H_
#define QEMU_SHIM_SECCOMP_KEEPER_H_

#include "qemu-shim/seccomp/in_flight.h"
#include "qemu-shim/seccomp/listener.h"
#include "qemu-shim/seccomp/service.h"

namespace openhook::seccomp {

// What an inherited process should not have: signals that end it before its program, a terminal,
// a directory, a readable memory. It could be ended by what ends a whole service, while QEMU still
// shuts down.
void SettleAsKeeper();

// Until the end of the program. The process must have one thread and no other children.
[[noreturn]] void RunKeeper(const Listener& listener, const Settings& settings,
                            InFlightTable* in_flight);

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_KEEPER_H_
