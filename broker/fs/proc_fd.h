// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The way back from an O_PATH descriptor: its real path, and a fresh open file description of the
// very inode that it names. Both go through /proc/self/fd, which is opened once and verified to be
// procfs, so that a file system mounted over /proc later cannot answer for it (threat model D7).

#ifndef BROKER_FS_PROC_FD_H_
#define BROKER_FS_PROC_FD_H_

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

// Opens and verifies /proc/self/fd; later calls use what the first one opened. To be called at
// start, so that a missing procfs is a clear error there. Errors: kUnavailable with the remedy.
Result<void> PrepareProcFd();

// In a child after fork(2), which has closed what it inherited: what was opened before is the
// parent's /proc/PID/fd, and would reopen the parent's descriptors. Errors as PrepareProcFd().
Result<void> RenewProcFd();

// open(2) with `flags` on the inode that `path` names. Never O_CREAT.
Result<IoFd> Reopen(const PathFd& path, int flags);

// The name that the kernel gives the descriptor: absolute, without symlinks, at this moment.
// Errors: kConflict when the file has no name any more (deleted) or none that is a path.
Result<CanonicalPath> RealPath(const PathFd& path);

}  // namespace openhook::fs

#endif  // BROKER_FS_PROC_FD_H_
