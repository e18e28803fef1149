// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/intent.h"

#include <fcntl.h>

namespace openhook::client {

namespace {

// The kernel's O_LARGEFILE (arch/x86 value); libc defines it as 0 where off_t has 64 bits, but a
// program may have been given the number by other means.
constexpr int kKernelLargeFile = 0100000;

IntendedAccess AccessOf(int flags) {
  switch (flags & O_ACCMODE) {
    case O_RDONLY:
      return IntendedAccess::kRead;
    case O_WRONLY:
      return IntendedAccess::kWrite;
    case O_RDWR:
      return IntendedAccess::kReadWrite;
    default:
      return IntendedAccess::kNone;  // 3: a descriptor for ioctls only, open(2) NOTES
  }
}

// Takes `bits` out of `rest` when all of them are there.
bool Take(int* rest, int bits) {
  if ((*rest & bits) != bits) {
    return false;
  }
  *rest &= ~bits;
  return true;
}

}  // namespace

OpenIntent IntentOf(int flags) {
  OpenIntent intent;
  intent.access = AccessOf(flags);
  int rest = intent.access == IntendedAccess::kNone ? flags : flags & ~O_ACCMODE;

  // __O_TMPFILE contains O_DIRECTORY and has no field: it stays in `rest` as a whole.
  intent.direct = Take(&rest, O_DIRECT);
  intent.sync = Take(&rest, O_SYNC);  // O_SYNC contains O_DSYNC: the larger one first
  intent.data_sync = Take(&rest, O_DSYNC);
  intent.append = Take(&rest, O_APPEND);
  intent.truncate = Take(&rest, O_TRUNC);
  intent.create = Take(&rest, O_CREAT);
  // Without O_CREAT it means "nobody else has this block device", which the broker cannot promise.
  intent.exclusive = intent.create && Take(&rest, O_EXCL);
  intent.nonblock = Take(&rest, O_NONBLOCK);
  intent.no_follow = Take(&rest, O_NOFOLLOW);
  intent.close_on_exec = Take(&rest, O_CLOEXEC);

  // True of every descriptor that the broker sends.
  Take(&rest, O_NOCTTY);
  Take(&rest, kKernelLargeFile);

  // What is left has no meaning that a descriptor could carry: O_PATH, O_DIRECTORY, O_TMPFILE,
  // O_ASYNC, O_NOATIME, and whatever a later kernel adds.
  intent.other_flags = static_cast<std::uint32_t>(rest);
  return intent;
}

bool TakesMode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

std::string_view Describe(IntendedAccess access) {
  switch (access) {
    case IntendedAccess::kRead:
      return "reading";
    case IntendedAccess::kWrite:
      return "writing";
    case IntendedAccess::kReadWrite:
      return "reading and writing";
    case IntendedAccess::kNone:
      break;
  }
  return "neither reading nor writing";
}

int FlagsOfStreamMode(std::string_view mode) {
  if (mode.empty()) {
    return -1;
  }
  int access = O_WRONLY;
  int flags = 0;
  switch (mode[0]) {
    case 'r':
      access = O_RDONLY;
      break;
    case 'w':
      flags = O_CREAT | O_TRUNC;
      break;
    case 'a':
      flags = O_CREAT | O_APPEND;
      break;
    default:
      return -1;
  }
  for (std::size_t i = 1; i < mode.size(); ++i) {
    switch (mode[i]) {
      case '+':
        access = O_RDWR;
        break;
      case 'x':
        flags |= O_EXCL;
        break;
      case 'e':
        flags |= O_CLOEXEC;
        break;
      case 'b':  // no meaning on POSIX
      case 'c':  // no cancellation points: a property of the stream
      case 'm':  // read by mmap: a property of the stream
        break;
      default:
        return -1;
    }
  }
  return access | flags;
}

}  // namespace openhook::client
