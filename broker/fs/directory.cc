// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>

#include "broker/base/text.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

namespace {

UniqueFd OpenDirectory(const std::string& path, int extra_flags) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | extra_flags));
}

}  // namespace

Result<void> EnsurePrivateDirectory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory " + Quote(path));
  }
  const UniqueFd dir = OpenDirectory(path, O_NOFOLLOW);
  struct stat info{};
  if (!dir.IsValid() || ::fstat(dir.Get(), &info) != 0) {
    return FailErrno(errno, "cannot open the directory " + Quote(path));
  }
  if (info.st_uid != ::geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kPermission,
                "the directory " + Quote(path) +
                    " must belong to the broker's user and be writable by nobody else; chown and "
                    "chmod it, or name another one");
  }
  if (::fchmod(dir.Get(), mode) != 0) {
    return FailErrno(errno, "cannot set the mode of " + Quote(path));
  }
  return {};
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
  UniqueFd fd = OpenDirectory(path, 0);
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot open the directory " + Quote(path));
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd.Release()), ::closedir);
  if (!dir) {
    return FailErrno(errno, "cannot read the directory " + Quote(path));
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> SyncDirectory(const std::string& path) {
  const UniqueFd dir = OpenDirectory(path, 0);
  if (!dir.IsValid() || ::fsync(dir.Get()) != 0) {
    return FailErrno(errno, "cannot sync the directory " + Quote(path));
  }
  return {};
}

Result<bool> FileExists(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    return false;
  }
  return FailErrno(errno, "cannot look for " + Quote(path));
}

Result<void> RemoveFile(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FailErrno(errno, "cannot remove " + Quote(path));
  }
  return {};
}

Result<void> ReplaceLink(const std::string& path, const std::string& target) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISLNK(info.st_mode)) {
    return Fail(ErrorCode::kConflict, Quote(path) + " is there, and is not ours; move it away");
  }
  const std::string temporary = path + ".new";
  if (auto removed = RemoveFile(temporary); !removed) {
    return removed;
  }
  if (::symlink(target.c_str(), temporary.c_str()) != 0 ||
      std::rename(temporary.c_str(), path.c_str()) != 0) {
    return FailErrno(errno, "cannot make the link " + Quote(path));
  }
  return {};
}

Result<void> PublishFile(const std::string& from, const std::string& to) {
  // link(2) and not rename(2), which replaces; RENAME_NOREPLACE is not known to every file system.
  if (::link(from.c_str(), to.c_str()) != 0) {
    return FailErrno(errno, "cannot name the new file " + Quote(to));
  }
  return RemoveFile(from);
}

}  // namespace openhook::fs
