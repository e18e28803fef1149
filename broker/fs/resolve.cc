// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/resolve.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <string>

#include "broker/base/text.h"
#include "broker/fs/identity.h"
#include "broker/fs/proc_fd.h"

namespace openhook::fs {

namespace {

// openat2(2) answers EAGAIN when a rename elsewhere made its check inconclusive. An attacker can
// provoke that, so the retries are bounded.
constexpr int kMaxRenameRetries = 128;

int Openat2(const char* path, std::uint64_t flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  int fd = -1;
  for (int i = 0; i < kMaxRenameRetries; ++i) {
    fd = static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) {
      break;
    }
  }
  return fd;
}

ResolveMethod ProbeMethod() {
  const UniqueFd fd(Openat2("/", O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS));
  return fd.IsValid() ? ResolveMethod::kOpenat2 : ResolveMethod::kWalk;
}

bool IsSymlink(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) != 0 || S_ISLNK(info.st_mode);
}

// Holds each directory while it looks up the next name in it; O_NOFOLLOW makes O_PATH return the
// symlink itself, which is then refused.
Result<PathFd> Walk(const CanonicalPath& path) {
  UniqueFd at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string_view rest = std::string_view(path.str()).substr(1);
  while (at.IsValid() && !rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    at = UniqueFd(::openat(at.Get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (at.IsValid() && IsSymlink(at.Get())) {
      errno = ELOOP;
      at.Reset();
    }
  }
  if (!at.IsValid()) {
    return FailErrno(errno, "cannot resolve " + Quote(path.str()));
  }
  return PathFd(std::move(at));
}

// Without openat2 a magic link could be followed here; the second resolution of the real path in
// ResolveFollowing() then decides, and refuses a name that leads nowhere in this root.
UniqueFd OpenFollowing(const std::string& name) {
  if (MethodInUse() == ResolveMethod::kOpenat2) {
    return UniqueFd(Openat2(name.c_str(), O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS));
  }
  return UniqueFd(::open(name.c_str(), O_PATH | O_CLOEXEC));
}

}  // namespace

ResolveMethod MethodInUse() {
  static const ResolveMethod method = ProbeMethod();
  return method;
}

Result<PathFd> ResolveNoSymlinks(const CanonicalPath& path) {
  if (MethodInUse() == ResolveMethod::kWalk) {
    return Walk(path);
  }
  // NO_SYMLINKS implies NO_MAGICLINKS; said anyway, as the man page advises.
  UniqueFd fd(
      Openat2(path.c_str(), O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot resolve " + Quote(path.str()));
  }
  return PathFd(std::move(fd));
}

Result<ResolvedFile> ResolveFollowing(std::string_view name) {
  if (name.empty() || name.front() != '/') {
    return Fail(ErrorCode::kInvalidArgument, "the path " + Quote(name) + " is not absolute");
  }
  UniqueFd fd = OpenFollowing(std::string(name));
  if (!fd.IsValid()) {
    return FailErrno(errno, "cannot resolve " + Quote(name));
  }
  PathFd followed(std::move(fd));
  auto real = RealPath(followed);
  if (!real) {
    return tl::make_unexpected(real.error());
  }
  auto identity = IdentityOf(followed, HandleUse::kRead);
  if (!identity) {
    return tl::make_unexpected(identity.error());
  }
  auto again = ResolveNoSymlinks(*real);
  if (!again) {
    return tl::make_unexpected(again.error());
  }
  const auto same = IdentityOf(*again, HandleUse::kRead);
  if (!same || !SameFile(*identity, *same)) {
    return Fail(ErrorCode::kConflict,
                "the path " + Quote(name) + " changed while it was being resolved; try again");
  }
  return ResolvedFile{std::move(*again), std::move(*real), std::move(*identity)};
}

}  // namespace openhook::fs
