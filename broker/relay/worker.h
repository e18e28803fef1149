// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the relay that reads what others write. It may die: the keeper starts another one,
// which goes on from the memory.

#ifndef BROKER_RELAY_WORKER_H_
#define BROKER_RELAY_WORKER_H_

#include <sys/types.h>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "broker/relay/memory.h"
#include "broker/relay/options.h"

namespace openhook::relay {

// Gives up every right to open files, then serves until QEMU is gone. Errors: only at the start.
Result<void> RunWorker(const Options& options, const UniqueFd& listener, Memory* memory,
                       pid_t keeper);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_WORKER_H_
