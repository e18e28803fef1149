// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/call.h"

#include <linux/audit.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "qemu-shim/client/intent.h"

namespace openhook::seccomp {

namespace {

using client::Links;
using Kind = Call::Kind;

constexpr mode_t kPermissionBits = 07777;
constexpr std::uint64_t kKnownHowBytes = sizeof(open_how);

// Registers have 64 bits; the kernel takes an int from the lower half.
int Int(std::uint64_t argument) { return static_cast<int>(static_cast<std::uint32_t>(argument)); }

mode_t Mode(std::uint64_t argument) {
  return static_cast<mode_t>(static_cast<std::uint32_t>(argument)) & kPermissionBits;
}

// Directories are listed with the program's own rights: the broker gives none.
bool IsForADirectory(int flags) {
  return (flags & O_DIRECTORY) != 0 && (flags & O_TMPFILE) != O_TMPFILE;
}

std::optional<Call> Open(int dirfd, std::uint64_t path, int flags, std::uint64_t mode) {
  if (IsForADirectory(flags)) {
    return std::nullopt;
  }
  Call call{Kind::kOpen, dirfd, path};
  call.flags = flags;
  call.mode = client::TakesMode(flags) ? Mode(mode) : 0;
  return call;
}

std::optional<Call> OpenHow(const __u64* arguments) {
  // A shorter structure is an error, a longer one may say what we do not know.
  if (arguments[3] != kKnownHowBytes) {
    return std::nullopt;
  }
  return Call{Kind::kOpenHow, Int(arguments[0]), arguments[1], arguments[2]};
}

std::optional<Call> Stat(Kind kind, int dirfd, std::uint64_t path, std::uint64_t result,
                         int flags) {
  constexpr int kStatxSync = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | kStatxSync)) != 0) {
    return std::nullopt;
  }
  Call call{kind, dirfd, path, result};
  call.links = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Links::kDoNotFollow : Links::kFollow;
  return call;
}

std::optional<Call> Access(int dirfd, std::uint64_t path, int mode, int flags) {
  if ((mode & ~(R_OK | W_OK | X_OK)) != 0 || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW)) != 0) {
    return std::nullopt;
  }
  Call call{Kind::kAccess, dirfd, path};
  call.mode = static_cast<mode_t>(mode);
  return call;
}

std::optional<Call> Unlink(int dirfd, std::uint64_t path, int flags) {
  // Directories are not the broker's: AT_REMOVEDIR, and whatever else a flag may mean.
  return flags == 0 ? std::optional(Call{Kind::kUnlink, dirfd, path}) : std::nullopt;
}

std::optional<Call> DecodeKnownAbi(int number, const __u64* a) {
  switch (number) {
    case SYS_open:
      return Open(AT_FDCWD, a[0], Int(a[1]), a[2]);
    case SYS_openat:
      return Open(Int(a[0]), a[1], Int(a[2]), a[3]);
    case SYS_creat:
      return Open(AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]);
    case SYS_openat2:
      return OpenHow(a);
    case SYS_stat:
      return Stat(Kind::kStat, AT_FDCWD, a[0], a[1], 0);
    case SYS_lstat:
      return Stat(Kind::kStat, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW);
    case SYS_newfstatat:
      return Stat(Kind::kStat, Int(a[0]), a[1], a[2], Int(a[3]));
    case SYS_statx:
      return Stat(Kind::kStatx, Int(a[0]), a[1], a[4], Int(a[2]));
    case SYS_access:
      return Access(AT_FDCWD, a[0], Int(a[1]), 0);
    case SYS_faccessat:
      return Access(Int(a[0]), a[1], Int(a[2]), 0);
    case SYS_faccessat2:
      return Access(Int(a[0]), a[1], Int(a[2]), Int(a[3]));
    case SYS_unlink:
      return Unlink(AT_FDCWD, a[0], 0);
    case SYS_unlinkat:
      return Unlink(Int(a[0]), a[1], Int(a[2]));
    case SYS_readlink:
      return Call{Kind::kReadlink, AT_FDCWD, a[0]};
    case SYS_readlinkat:
      return Call{Kind::kReadlink, Int(a[0]), a[1]};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Call> DecodeCall(const seccomp_data& data) {
  return data.arch == AUDIT_ARCH_X86_64 ? DecodeKnownAbi(data.nr, data.args) : std::nullopt;
}

std::optional<Call> WithHow(Call call, const open_how& how) {
  // The broker follows no symlinks at all; it cannot promise to stay beneath something.
  constexpr std::uint64_t kImplied = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // openat2(2) refuses what open(2) ignores: bits without a meaning are the kernel's to judge.
  const bool plain =
      (how.resolve & ~kImplied) == 0 && how.flags <= INT32_MAX && how.mode <= kPermissionBits;
  return plain ? Open(call.dirfd, call.path, static_cast<int>(how.flags), how.mode) : std::nullopt;
}

}  // namespace openhook::seccomp
