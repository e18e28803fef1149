// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a name to an O_PATH descriptor. Two ways, for two moments:
//   - when a grant is made, the administrator's name may contain symlinks: ResolveFollowing()
//     follows them once and returns the real path and the identity to be pinned;
//   - when a file is opened, ResolveNoSymlinks() accepts no symlink anywhere in the stored path.
// By openat2(2) where the kernel has it; otherwise (before 5.6, or filtered away by a container's
// seccomp policy) by a walk that holds each directory and refuses each symlink.

#ifndef BROKER_FS_RESOLVE_H_
#define BROKER_FS_RESOLVE_H_

#include <string_view>

#include "broker/base/canonical_path.h"
#include "broker/base/file_identity.h"
#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

struct ResolvedFile {
  PathFd fd;
  CanonicalPath path;
  FileIdentity identity;
};

// Errors: kConflict (ELOOP) when a component is a symlink; kNotFound; kPermission.
Result<PathFd> ResolveNoSymlinks(const CanonicalPath& path);

// Follows symlinks, but no magic links of procfs. `name` must be absolute. The real path is
// resolved once more without symlinks and must lead to the same file, so what is returned was true
// at one moment. Errors as above; kInvalidArgument for a relative name.
Result<ResolvedFile> ResolveFollowing(std::string_view name);

enum class ResolveMethod : std::uint8_t { kOpenat2, kWalk };
// What this kernel gives us; found out once.
ResolveMethod MethodInUse();

}  // namespace openhook::fs

#endif  // BROKER_FS_RESOLVE_H_
