// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/create.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "broker/base/text.h"
#include "broker/fs/identity.h"
#include "broker/fs/open.h"

namespace openhook::fs {

namespace {

constexpr mode_t kPermissionBits = 0666;

// What has to work after open(2) before a created file may be handed out.
Result<FileIdentity> SettleCreated(const IoFd& fd, const OpenIntent& intent) {
  // fchmod, because open(2) applies the umask of this process, and the client's was applied before.
  if (::fchmod(fd.Get(), static_cast<mode_t>(intent.mode) & kPermissionBits) != 0) {
    return FailErrno(errno, "cannot set the mode of the created file");
  }
  const int nonblock = intent.nonblock ? O_NONBLOCK : 0;
  if (::fcntl(fd.Get(), F_SETFL, (ComposeFlags(intent) & ~O_TRUNC) | nonblock) != 0) {
    return FailErrno(errno, "cannot set the flags of the created file");
  }
  return IdentityOf(fd, HandleUse::kRead);
}

}  // namespace

Result<CreatedFile> CreateIn(const PathFd& directory, std::string_view name,
                             const OpenIntent& intent) {
  const std::string file_name(name);
  // O_EXCL never follows a symlink as the last component (open(2)).
  // O_DIRECT is set afterwards: open(2) would refuse it with the file already made.
  const int flags =
      (ComposeFlags(intent) & ~O_DIRECT) | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  UniqueFd raw(::openat(directory.Get(), file_name.c_str(), flags, S_IRUSR | S_IWUSR));
  if (!raw.IsValid()) {
    return FailErrno(errno, "cannot create " + Quote(name));
  }
  IoFd fd(std::move(raw));
  auto identity = SettleCreated(fd, intent);
  if (!identity) {
    ::unlinkat(directory.Get(), file_name.c_str(), 0);
    return tl::make_unexpected(identity.error());
  }
  return CreatedFile{std::move(fd), std::move(*identity)};
}

Result<bool> ExistsIn(const PathFd& directory, std::string_view name) {
  struct stat info{};
  if (::fstatat(directory.Get(), std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    return false;
  }
  return FailErrno(errno, "cannot look up " + Quote(name));
}

Result<void> UnlinkIn(const PathFd& directory, std::string_view name,
                      const FileIdentity& identity) {
  const std::string file_name(name);
  UniqueFd raw(::openat(directory.Get(), file_name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!raw.IsValid()) {
    return FailErrno(errno, "cannot look up " + Quote(name));
  }
  const auto now = IdentityOf(PathFd(std::move(raw)), HandleUseFor(identity));
  if (!now) {
    return tl::make_unexpected(now.error());
  }
  if (!SameFile(identity, *now)) {
    return Fail(ErrorCode::kConflict, "another file than the created one has the name " +
                                          Quote(name) + " now; it is left alone");
  }
  if (::unlinkat(directory.Get(), file_name.c_str(), 0) != 0) {
    return FailErrno(errno, "cannot remove " + Quote(name));
  }
  return {};
}

}  // namespace openhook::fs
