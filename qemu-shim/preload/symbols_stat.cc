// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stat family. QEMU picks the driver of a disk by stat: without it a granted block device is
// taken for a file. The __xstat forms are what programs built against glibc before 2.33 call.

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "qemu-shim/client/stat_reply.h"
#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

namespace {

Links LinksOf(int flags) {
  return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? Links::kDoNotFollow : Links::kFollow;
}

int StatFile(int dirfd, const char* path, struct stat* result, int flags) {
  return Perform(
      RouteForPath(dirfd, path), [&] { return native::StatAt(dirfd, path, result, flags); },
      [&](Voice) { return AskStat(path, LinksOf(flags), result); });
}

// glibc's _STAT_VER_KERNEL is 0 and _STAT_VER_LINUX 1: one layout on 64-bit (bits/stat.h of 2.32).
int StatFileOfVersion(int version, int dirfd, const char* path, struct stat* result, int flags) {
  if (version != 0 && version != 1) {
    errno = EINVAL;
    return -1;
  }
  return StatFile(dirfd, path, result, flags);
}

Asked AskStatx(const char* path, int flags, struct statx* result) {
  struct stat found{};
  const Asked asked = AskStat(path, LinksOf(flags), &found);
  if (asked.kind == Asked::Kind::kDone) {
    client::CopyToStatx(found, result);
  }
  return asked;
}

}  // namespace

extern "C" {

int HookStat(const char* path, struct stat* result) OPENHOOK_SYMBOL(stat);
int HookStat64(const char* path, struct stat* result) OPENHOOK_ALIAS(stat64, stat);
int HookLstat(const char* path, struct stat* result) OPENHOOK_SYMBOL(lstat);
int HookLstat64(const char* path, struct stat* result) OPENHOOK_ALIAS(lstat64, lstat);
int HookFstatAt(int dirfd, const char* path, struct stat* result, int flags)
    OPENHOOK_SYMBOL(fstatat);
int HookFstatAt64(int dirfd, const char* path, struct stat* result, int flags)
    OPENHOOK_ALIAS(fstatat64, fstatat);
int HookXstat(int version, const char* path, struct stat* result) OPENHOOK_SYMBOL(__xstat);
int HookXstat64(int version, const char* path, struct stat* result)
    OPENHOOK_ALIAS(__xstat64, __xstat);
int HookLxstat(int version, const char* path, struct stat* result) OPENHOOK_SYMBOL(__lxstat);
int HookLxstat64(int version, const char* path, struct stat* result)
    OPENHOOK_ALIAS(__lxstat64, __lxstat);
int HookFxstatAt(int version, int dirfd, const char* path, struct stat* result, int flags)
    OPENHOOK_SYMBOL(__fxstatat);
int HookFxstatAt64(int version, int dirfd, const char* path, struct stat* result, int flags)
    OPENHOOK_ALIAS(__fxstatat64, __fxstatat);
int HookStatx(int dirfd, const char* path, int flags, unsigned mask, struct statx* result)
    OPENHOOK_SYMBOL(statx);

int HookStat(const char* path, struct stat* result) { return StatFile(AT_FDCWD, path, result, 0); }

int HookLstat(const char* path, struct stat* result) {
  return StatFile(AT_FDCWD, path, result, AT_SYMLINK_NOFOLLOW);
}

int HookFstatAt(int dirfd, const char* path, struct stat* result, int flags) {
  return StatFile(dirfd, path, result, flags);
}

int HookXstat(int version, const char* path, struct stat* result) {
  return StatFileOfVersion(version, AT_FDCWD, path, result, 0);
}

int HookLxstat(int version, const char* path, struct stat* result) {
  return StatFileOfVersion(version, AT_FDCWD, path, result, AT_SYMLINK_NOFOLLOW);
}

int HookFxstatAt(int version, int dirfd, const char* path, struct stat* result, int flags) {
  return StatFileOfVersion(version, dirfd, path, result, flags);
}

int HookStatx(int dirfd, const char* path, int flags, unsigned mask, struct statx* result) {
  return Perform(
      RouteForPath(dirfd, path), [&] { return native::Statx(dirfd, path, flags, mask, result); },
      [&](Voice) { return AskStatx(path, flags, result); });
}

}  // extern "C"

}  // namespace openhook::preload
