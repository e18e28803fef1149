// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/stat_reply.h"

#include <sys/sysmacros.h>

#include <cstdint>
#include <cstring>

namespace openhook::client {

namespace {

timespec ToTime(std::int64_t seconds, std::uint32_t nanoseconds) {
  return {static_cast<time_t>(seconds), static_cast<long>(nanoseconds)};
}

statx_timestamp ToStatxTime(const timespec& time) {
  statx_timestamp result{};
  result.tv_sec = time.tv_sec;
  result.tv_nsec = static_cast<unsigned>(time.tv_nsec);
  return result;
}

}  // namespace

void CopyStat(const openhook_proto_StatReply& from, struct stat* to) {
  std::memset(to, 0, sizeof(*to));
  to->st_dev = from.dev;
  to->st_ino = from.ino;
  to->st_mode = from.mode;
  to->st_nlink = from.nlink;
  to->st_uid = from.uid;
  to->st_gid = from.gid;
  to->st_rdev = from.rdev;
  to->st_size = from.size;
  to->st_blksize = static_cast<blksize_t>(from.blksize);
  to->st_blocks = from.blocks;
  to->st_atim = ToTime(from.atime_sec, from.atime_nsec);
  to->st_mtim = ToTime(from.mtime_sec, from.mtime_nsec);
  to->st_ctim = ToTime(from.ctime_sec, from.ctime_nsec);
}

void CopyToStatx(const struct stat& from, struct statx* to) {
  std::memset(to, 0, sizeof(*to));
  to->stx_mask = STATX_BASIC_STATS;
  to->stx_blksize = static_cast<unsigned>(from.st_blksize);
  to->stx_nlink = static_cast<unsigned>(from.st_nlink);
  to->stx_uid = from.st_uid;
  to->stx_gid = from.st_gid;
  to->stx_mode = static_cast<unsigned short>(from.st_mode);
  to->stx_ino = from.st_ino;
  to->stx_size = static_cast<unsigned long long>(from.st_size);
  to->stx_blocks = static_cast<unsigned long long>(from.st_blocks);
  to->stx_atime = ToStatxTime(from.st_atim);
  to->stx_mtime = ToStatxTime(from.st_mtim);
  to->stx_ctime = ToStatxTime(from.st_ctim);
  to->stx_rdev_major = major(from.st_rdev);
  to->stx_rdev_minor = minor(from.st_rdev);
  to->stx_dev_major = major(from.st_dev);
  to->stx_dev_minor = minor(from.st_dev);
}

}  // namespace openhook::client
