// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The few directory operations that the broker needs for its own state and sockets, and
// openhookctl to find running brokers. Not for files of a VM.

#ifndef BROKER_FS_DIRECTORY_H_
#define BROKER_FS_DIRECTORY_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "broker/base/result.h"

namespace openhook::fs {

// Makes `path` (its parents must exist) or accepts it when it is a directory that belongs to us and
// that nobody else can write to; then gives it `mode`. Errors name the remedy.
Result<void> EnsurePrivateDirectory(const std::string& path, mode_t mode);

// Names in a directory, without "." and "..", sorted.
Result<std::vector<std::string>> ListDirectory(const std::string& path);

// Makes the directory's entries durable (fsync(2)).
Result<void> SyncDirectory(const std::string& path);

// Is there anything under this name (a dangling symlink too)? Errors: the kernel's; a name that
// cannot be looked at is not taken for a free one.
Result<bool> FileExists(const std::string& path);

// Removes a name that may be absent.
Result<void> RemoveFile(const std::string& path);

// Makes `path` a symlink to `target`; others see the old one or the new one. What is there and no
// symlink stays. Errors: kConflict for such a thing; the kernel's.
Result<void> ReplaceLink(const std::string& path, const std::string& target);

// Gives the finished file `from` the name `to`, in the same directory, unless that is taken:
// nothing is ever replaced. Errors: kConflict (EEXIST); else the kernel's.
Result<void> PublishFile(const std::string& from, const std::string& to);

}  // namespace openhook::fs

#endif  // BROKER_FS_DIRECTORY_H_
