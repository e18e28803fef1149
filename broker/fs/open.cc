// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/open.h"

#include <fcntl.h>

#include "broker/base/text.h"
#include "broker/fs/identity.h"
#include "broker/fs/proc_fd.h"
#include "broker/fs/resolve.h"

namespace openhook::fs {

namespace {

int AccessMode(Access access) {
  switch (access) {
    case Access::kRead:
      return O_RDONLY;
    case Access::kWrite:
      return O_WRONLY;
    case Access::kReadWrite:
      return O_RDWR;
  }
  return O_RDONLY;
}

// Opened with O_NONBLOCK, so that neither a FIFO nor somebody's lease on the file (fcntl(2),
// F_SETLEASE) can hold the broker; given back without it unless the client asked for it.
Result<void> ClearNonblock(const IoFd& file, int flags) {
  if (::fcntl(file.Get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
    return FailErrno(errno, "cannot clear O_NONBLOCK");
  }
  return {};
}

// O_DIRECT, O_SYNC and O_APPEND could be dropped by a file system without a word; QEMU relies on
// them for its cache modes.
Result<void> CheckStatusFlags(const IoFd& file, int wanted) {
  const int actual = ::fcntl(file.Get(), F_GETFL);
  const int checked = O_ACCMODE | O_APPEND | O_DIRECT | O_DSYNC;
  if (actual < 0 || (actual & checked) != (wanted & checked)) {
    return Fail(ErrorCode::kConflict, "the kernel opened the file with other flags than asked for");
  }
  return {};
}

}  // namespace

int ComposeFlags(const OpenIntent& intent) {
  int flags = AccessMode(intent.access);
  flags |= intent.direct ? O_DIRECT : 0;
  flags |= intent.sync ? O_SYNC : 0;
  flags |= intent.data_sync ? O_DSYNC : 0;
  flags |= intent.append ? O_APPEND : 0;
  flags |= intent.truncate ? O_TRUNC : 0;
  return flags;
}

Result<PathFd> ResolvePinned(const CanonicalPath& path, const FileIdentity& pinned) {
  auto file = ResolveNoSymlinks(path);
  if (!file) {
    return file;
  }
  const auto now = IdentityOf(*file, HandleUseFor(pinned));
  if (!now) {
    return tl::make_unexpected(now.error());
  }
  if (!SameFile(pinned, *now)) {
    return Fail(ErrorCode::kConflict,
                "another file than the granted one has the name " + Quote(path.str()) + " now");
  }
  return file;
}

Result<void> CheckAlias(std::string_view alias, const FileIdentity& pinned) {
  const auto resolved = ResolveFollowing(alias);
  if (!resolved) {
    return tl::make_unexpected(resolved.error());
  }
  if (!SameFile(pinned, resolved->identity)) {
    return Fail(ErrorCode::kConflict,
                "the name " + Quote(alias) + " leads to another file than when it was granted");
  }
  return {};
}

Result<IoFd> OpenResolved(const PathFd& file, const FileIdentity& pinned,
                          const OpenIntent& intent) {
  const int flags = ComposeFlags(intent);
  auto opened = Reopen(file, flags | O_NONBLOCK);
  if (!opened) {
    if (opened.error().sys_errno == EWOULDBLOCK) {
      return FailErrno(EBUSY, "another process holds a lease on the file");
    }
    return opened;
  }
  if (auto same = CheckSameInode(*opened, pinned); !same) {
    return tl::make_unexpected(same.error());
  }
  if (!intent.nonblock) {
    if (auto cleared = ClearNonblock(*opened, flags); !cleared) {
      return tl::make_unexpected(cleared.error());
    }
  }
  if (auto checked = CheckStatusFlags(*opened, flags); !checked) {
    return tl::make_unexpected(checked.error());
  }
  return opened;
}

}  // namespace openhook::fs
