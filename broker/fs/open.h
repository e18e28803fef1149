// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The open algorithm, on the whitelist's own path (never the client's):
//   1. resolve the stored path to an O_PATH descriptor, no symlink, no magic link;
//   2. its identity must be the pinned one;
//   3. reopen that very inode with flags composed from the intent;
//   4. verify once more that the inode and the status flags are what was meant.
// Each call makes a fresh open file description: QEMU's image locks (OFD) need one of their own.

#ifndef BROKER_FS_OPEN_H_
#define BROKER_FS_OPEN_H_

#include <sys/stat.h>

#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/base/open_intent.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

// Steps 1 and 2. Errors: kNotFound when nothing has this name; kConflict when a symlink or another
// file has it now.
Result<PathFd> ResolvePinned(const CanonicalPath& path, const FileIdentity& pinned);

// An alias (another name of the same grant, perhaps with symlinks in it) must still lead to the
// pinned file. Errors as ResolvePinned().
Result<void> CheckAlias(std::string_view alias, const FileIdentity& pinned);

// Steps 3 and 4. intent.create is not looked at: the file is there. Errors: kConflict when
// something else was opened or a lease is held on the file (EBUSY); else the kernel's errno.
Result<IoFd> OpenResolved(const PathFd& file, const FileIdentity& pinned, const OpenIntent& intent);

// The open(2) flags of an intent, without O_CREAT and O_EXCL. Exposed for its table test.
int ComposeFlags(const OpenIntent& intent);

}  // namespace openhook::fs

#endif  // BROKER_FS_OPEN_H_
