// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a starting broker has to put right: pins that a reboot made doubtful, and a file that was
// being created when the last broker died.

#ifndef BROKER_SERVER_RECOVERY_H_
#define BROKER_SERVER_RECOVERY_H_

#include "broker/base/result.h"
#include "broker/store/store.h"

namespace openhook::server {

// After a reboot, mount ids and perhaps device numbers are new. A grant whose file still has the
// pinned handle is pinned anew; any other becomes stale and is refused until granted again. Nothing
// happens within one boot.
Result<void> ConfirmIdentities(store::Store* store, store::Loaded* loaded);

// A file that was made but not yet recorded when the broker died (empty, ours, one link, in the
// pinned directory) becomes the VM's own, as if the creation had been finished.
Result<void> FinishCreating(store::Store* store, store::Loaded* loaded);

}  // namespace openhook::server

#endif  // BROKER_SERVER_RECOVERY_H_
