// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A log that cannot fill the disk: lines are appended, and at `max_bytes` the file becomes
// "NAME.1" (replacing the one before) and a new one begins.

#ifndef BROKER_FS_APPEND_FILE_H_
#define BROKER_FS_APPEND_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

class AppendFile {
 public:
  // Opens or makes the file (mode 0600, no symlink as last component).
  static Result<AppendFile> Open(std::string path, std::uint64_t max_bytes);

  // Appends `line` and a newline in one write(2). Errors: the kernel's; the file stays usable.
  Result<void> Append(std::string_view line);

 private:
  AppendFile(UniqueFd fd, std::string path, std::uint64_t size, std::uint64_t max_bytes)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size), max_bytes_(max_bytes) {}
  Result<void> Rotate();

  UniqueFd fd_;
  std::string path_;
  std::uint64_t size_;
  std::uint64_t max_bytes_;
};

// For a program that writes its own lines: opened or made as above.
Result<UniqueFd> OpenLog(const std::string& path);

// /dev/null, for reading and writing.
Result<UniqueFd> OpenNull();

}  // namespace openhook::fs

#endif  // BROKER_FS_APPEND_FILE_H_
