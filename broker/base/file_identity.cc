// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/file_identity.h"

namespace openhook {

std::string_view ToString(FileKind kind) {
  switch (kind) {
    case FileKind::kRegular:
      return "file";
    case FileKind::kBlock:
      return "block";
    case FileKind::kCharacter:
      return "char";
    case FileKind::kFifo:
      return "fifo";
    case FileKind::kDirectory:
      return "directory";
    case FileKind::kOther:
      return "other";
  }
  return "other";
}

// A device has many nodes: libvirt gives each QEMU a /dev of its own.
FileKey KeyOf(const FileIdentity& file) {
  const bool device = file.kind == FileKind::kBlock || file.kind == FileKind::kCharacter;
  return device ? FileKey{file.kind, 0, file.rdev} : FileKey{file.kind, file.dev, file.ino};
}

bool SameFile(const FileIdentity& pinned, const FileIdentity& now) {
  if (pinned.kind != now.kind || pinned.dev != now.dev || pinned.ino != now.ino ||
      pinned.mount_id != now.mount_id || pinned.rdev != now.rdev ||
      pinned.birth_ns != now.birth_ns) {
    return false;
  }
  // A settled birth time already excludes a reused inode number. Without one the handle has to,
  // where the file system knows handles.
  return pinned.birth_settled || pinned.handle == now.handle;
}

bool SameFileAcrossMounts(const FileIdentity& pinned, const FileIdentity& now) {
  return pinned.kind == now.kind && pinned.ino == now.ino && pinned.rdev == now.rdev &&
         pinned.birth_ns == now.birth_ns && !pinned.handle.empty() && pinned.handle == now.handle;
}

}  // namespace openhook
