// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a starting broker has to put right: pins that a reboot made doubtful, and files that were
// being created when the last broker died. File systems that may block are asked through workers,
// all of them within one deadline: a server that is away delays a start, and never prevents it.

#ifndef BROKER_SERVER_RECOVERY_H_
#define BROKER_SERVER_RECOVERY_H_

#include <vector>

#include "broker/audit/event.h"
#include "broker/base/result.h"
#include "broker/store/store.h"
#include "broker/worker/jobs.h"

namespace openhook::server {

// After a reboot, mount ids and perhaps device numbers are new. A grant whose file still has the
// pinned handle is pinned anew; any other becomes stale and is refused until granted again. Nothing
// happens within one boot. `unanswered` gets an event for each file that nobody answered for, and
// one when the outcome could not be saved; then it holds all the same, until the next start.
Result<void> ConfirmIdentities(store::Store* store, store::Loaded* loaded, const worker::Jobs& jobs,
                               std::vector<audit::Event>* unanswered);

// A file that was made but not yet recorded when the broker died (empty, ours, one link, in the
// pinned directory) becomes the VM's own, as if the creation had been finished. In
// `loaded->creating` those are left of which nobody answered, or which could not be saved.
void FinishCreating(store::Store* store, store::Loaded* loaded, const worker::Jobs& jobs);

}  // namespace openhook::server

#endif  // BROKER_SERVER_RECOVERY_H_
