// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes and removes files on a VM's behalf: always one name in a directory that is held by
// descriptor and whose identity was pinned, never a path.

#ifndef BROKER_FS_CREATE_H_
#define BROKER_FS_CREATE_H_

#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/base/open_intent.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

struct CreatedFile {
  IoFd fd;
  FileIdentity identity;
};

// Creates the regular file `name` in `directory` and opens it as `intent` says. The permission bits
// are intent.mode without set-id, sticky and execute bits; our own umask does not matter. Errors:
// kConflict (EEXIST) when the name exists, whatever it is; else the kernel's errno. Leaves no file
// behind when it fails.
Result<CreatedFile> CreateIn(const PathFd& directory, std::string_view name,
                             const OpenIntent& intent);

// Does the name exist in the directory (as anything, a dangling symlink too)?
Result<bool> ExistsIn(const PathFd& directory, std::string_view name);

// Removes `name`, if it is the file with this identity. Errors: kConflict when it is another one.
Result<void> UnlinkIn(const PathFd& directory, std::string_view name, const FileIdentity& identity);

}  // namespace openhook::fs

#endif  // BROKER_FS_CREATE_H_
