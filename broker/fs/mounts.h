// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which file systems may keep a process waiting for ever, and how to name them. A file system with
// a server behind it (NFS, SMB, FUSE, ...) blocks the one who asks when the server does not answer;
// what the kernel keeps on a disk or in memory does not.

#ifndef BROKER_FS_MOUNTS_H_
#define BROKER_FS_MOUNTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::fs {

// Does the way to `path` (absolute; symlinks are followed) touch a file system that is not on the
// closed list of local ones? Asks every directory on the way, so it may itself block: only for a
// worker process. Errors: the kernel's.
Result<bool> MayBlock(std::string_view path);

struct Mount {
  std::uint64_t id = 0;  // as statx(2) tells it, stx_mnt_id
  std::string where;
  std::string type;
};

// The mounts of this moment, from /proc/self/mountinfo, which never asks a file system's server.
class MountTable {
 public:
  static MountTable Read();

  // The mount that `path` is on, going by its name alone: symlinks are not looked at. Null when
  // the table could not be read.
  [[nodiscard]] const Mount* Find(std::string_view path) const;

 private:
  std::vector<Mount> mounts_;
};

// For messages: "'PATH' (TYPE, mounted on 'WHERE')".
std::string DescribeFileSystemOf(std::string_view path);

}  // namespace openhook::fs

#endif  // BROKER_FS_MOUNTS_H_
