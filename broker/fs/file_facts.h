// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a file of the administrator's or of ours is, for who checks a host. Not for files of a VM.

#ifndef BROKER_FS_FILE_FACTS_H_
#define BROKER_FS_FILE_FACTS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "broker/base/file_identity.h"

namespace openhook::fs {

struct FileFacts {
  FileKind kind = FileKind::kOther;
  uid_t uid = 0;
  mode_t mode = 0;            // permission bits
  std::int64_t modified = 0;  // seconds since 1970
  // Nobody but root can write to it.
  [[nodiscard]] bool IsRootsAlone() const;
};

// Symlinks are followed. Absent: there is nothing, or it may not be looked at.
std::optional<FileFacts> FactsOf(const std::string& path);

}  // namespace openhook::fs

#endif  // BROKER_FS_FILE_FACTS_H_
