// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "broker/base/text.h"

namespace openhook::fs {

namespace {

UniqueFd OpenOrMake(const std::string& path) {
  return UniqueFd(::open(path.c_str(),
                         O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                         S_IRUSR | S_IWUSR));
}

}  // namespace

Result<AppendFile> AppendFile::Open(std::string path, std::uint64_t max_bytes) {
  UniqueFd fd = OpenOrMake(path);
  struct stat info{};
  if (!fd.IsValid() || ::fstat(fd.Get(), &info) != 0) {
    return FailErrno(errno, "cannot open the log " + Quote(path));
  }
  return AppendFile(std::move(fd), std::move(path), static_cast<std::uint64_t>(info.st_size),
                    max_bytes);
}

Result<void> AppendFile::Rotate() {
  if (::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) {
    return FailErrno(errno, "cannot rotate the log " + Quote(path_));
  }
  UniqueFd fresh = OpenOrMake(path_);
  if (!fresh.IsValid()) {
    return FailErrno(errno, "cannot open the log " + Quote(path_));
  }
  fd_ = std::move(fresh);
  size_ = 0;
  return {};
}

Result<void> AppendFile::Append(std::string_view line) {
  if (size_ + line.size() + 1 > max_bytes_ && size_ > 0) {
    if (auto rotated = Rotate(); !rotated) {
      return rotated;
    }
  }
  const std::string text = std::string(line) + "\n";
  const ssize_t written = ::write(fd_.Get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) {
    return FailErrno(written < 0 ? errno : ENOSPC, "cannot write to the log " + Quote(path_));
  }
  size_ += text.size();
  return {};
}

Result<UniqueFd> OpenLog(const std::string& path) {
  UniqueFd fd = OpenOrMake(path);
  return fd.IsValid() ? Result<UniqueFd>(std::move(fd))
                      : FailErrno(errno, "cannot open the log " + Quote(path));
}

Result<UniqueFd> OpenNull() {
  UniqueFd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  return fd.IsValid() ? Result<UniqueFd>(std::move(fd)) : FailErrno(errno, "cannot open /dev/null");
}

}  // namespace openhook::fs
