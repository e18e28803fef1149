// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The system calls that openhookd keeps. It may open any file and look at any process; this takes
// away what neither needs: executing programs, tracing and reading other processes, mounts, network
// sockets, kernel interfaces with a history. What is not on the list fails with EPERM.

#ifndef BROKER_SERVER_SYSCALL_FILTER_H_
#define BROKER_SERVER_SYSCALL_FILTER_H_

#include "broker/base/result.h"

namespace openhook::server {

// For this process and all it forks, for good (seccomp(2)). Needs no_new_privs. A second call in
// the same process or in a forked one does nothing. Errors: kUnsupported when the kernel has no
// seccomp filters.
Result<void> FilterSystemCalls();

}  // namespace openhook::server

#endif  // BROKER_SERVER_SYSCALL_FILTER_H_
