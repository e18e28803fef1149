// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What makes a file this file, whatever its name: pinned when a grant is made, compared at every
// open. Only the data and the comparison; broker/fs reads it from the kernel.

#ifndef BROKER_BASE_FILE_IDENTITY_H_
#define BROKER_BASE_FILE_IDENTITY_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace openhook {

enum class FileKind : std::uint8_t {
  kRegular,
  kBlock,
  kCharacter,
  kFifo,
  kDirectory,
  kOther,  // sockets, symlinks: never opened
};

std::string_view ToString(FileKind kind);

struct FileIdentity {
  FileKind kind = FileKind::kOther;
  std::uint64_t dev = 0;       // st_dev of the file system
  std::uint64_t ino = 0;       // st_ino
  std::uint64_t mount_id = 0;  // statx(2) stx_mnt_id; valid until the next reboot or remount
  std::uint64_t rdev = 0;      // st_rdev of a device node, else 0
  // Nanoseconds of stx_btime, 0 where the file system has none. No call can set it, so it tells a
  // file from a later one that was given the same inode number...
  std::int64_t birth_ns = 0;
  // ...if the file was old enough when it was looked at: birth times have the granularity of the
  // kernel's tick (up to 10 ms), so a file that was just born may share its time with its
  // replacement.
  bool birth_settled = false;
  // name_to_handle_at(2): type and bytes; empty where the file system gives none. Read only where
  // it is needed: pinning, and comparing with a pin whose birth time does not decide.
  std::string handle;
};

// What tells the files that are there at one moment apart, whichever mount they were opened
// through, and devices whichever node.
struct FileKey {
  FileKind kind = FileKind::kOther;
  std::uint64_t dev = 0;
  std::uint64_t ino = 0;  // of a device its number
  auto operator<=>(const FileKey&) const = default;
};
FileKey KeyOf(const FileIdentity& file);

// Is `now` the file that was pinned? Within one boot of the host.
bool SameFile(const FileIdentity& pinned, const FileIdentity& now);

// Is `now` the pinned file, although the host was rebooted or the file system remounted, which
// changes mount ids and may change device numbers? Needs a file handle on both sides.
bool SameFileAcrossMounts(const FileIdentity& pinned, const FileIdentity& now);

}  // namespace openhook

#endif  // BROKER_BASE_FILE_IDENTITY_H_
