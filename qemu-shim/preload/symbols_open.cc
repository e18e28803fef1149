// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open, openat, creat and their fortified forms. QEMU 7.2 opens every image with open64, and memory
// files with __open64_2.

#include <fcntl.h>

#include <cstdarg>

#include "qemu-shim/client/intent.h"
#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/open_file.h"

namespace openhook::preload {

namespace {

// The third argument is read only where the caller has passed one (open(2)).
mode_t ModeArgument(int flags, va_list arguments) {
  return client::TakesMode(flags) ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

// libc ends the program when a fortified call creates a file without a mode; that stays its task.
int OpenWithoutMode(int dirfd, const char* path, int flags) {
  return client::TakesMode(flags) ? native::OpenAtWithoutMode(dirfd, path, flags)
                                  : OpenFile(dirfd, path, flags, 0);
}

}  // namespace

extern "C" {

int HookOpen(const char* path, int flags, ...) OPENHOOK_SYMBOL(open);
int HookOpen64(const char* path, int flags, ...) OPENHOOK_ALIAS(open64, open);
int HookOpenAt(int dirfd, const char* path, int flags, ...) OPENHOOK_SYMBOL(openat);
int HookOpenAt64(int dirfd, const char* path, int flags, ...) OPENHOOK_ALIAS(openat64, openat);
int HookOpen2(const char* path, int flags) OPENHOOK_SYMBOL(__open_2);
int HookOpen64Of2(const char* path, int flags) OPENHOOK_ALIAS(__open64_2, __open_2);
int HookOpenAt2(int dirfd, const char* path, int flags) OPENHOOK_SYMBOL(__openat_2);
int HookOpenAt64Of2(int dirfd, const char* path, int flags)
    OPENHOOK_ALIAS(__openat64_2, __openat_2);
int HookCreat(const char* path, mode_t mode) OPENHOOK_SYMBOL(creat);
int HookCreat64(const char* path, mode_t mode) OPENHOOK_ALIAS(creat64, creat);

int HookOpen(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeArgument(flags, arguments);
  va_end(arguments);
  return OpenFile(AT_FDCWD, path, flags, mode);
}

int HookOpenAt(int dirfd, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeArgument(flags, arguments);
  va_end(arguments);
  return OpenFile(dirfd, path, flags, mode);
}

int HookOpen2(const char* path, int flags) { return OpenWithoutMode(AT_FDCWD, path, flags); }

int HookOpenAt2(int dirfd, const char* path, int flags) {
  return OpenWithoutMode(dirfd, path, flags);
}

int HookCreat(const char* path, mode_t mode) {
  return OpenFile(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

}  // extern "C"

}  // namespace openhook::preload
