// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fopen: QEMU's logs, pmemsave, -kernel. libc's fopen opens inside of libc, where no symbol of ours
// is seen, so the descriptor is opened here and becomes a stream with fdopen(3).

#include <fcntl.h>

#include <cstdio>

#include "broker/base/unique_fd.h"
#include "qemu-shim/client/intent.h"
#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/open_file.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

namespace {

constexpr mode_t kStreamFileMode = 0666;  // fopen(3): before the umask

}  // namespace

extern "C" {

FILE* HookFopen(const char* path, const char* mode) OPENHOOK_SYMBOL(fopen);
FILE* HookFopen64(const char* path, const char* mode) OPENHOOK_ALIAS(fopen64, fopen);

FILE* HookFopen(const char* path, const char* mode) {
  const int flags = mode == nullptr ? -1 : client::FlagsOfStreamMode(mode);
  if (flags < 0 || RouteForPath(AT_FDCWD, path) == Route::kNativeOnly) {
    return native::OpenStream(path, mode);
  }
  UniqueFd fd(OpenFile(AT_FDCWD, path, flags, kStreamFileMode));
  if (!fd.IsValid()) {
    return nullptr;
  }
  FILE* stream = ::fdopen(fd.Get(), mode);
  if (stream != nullptr) {
    [[maybe_unused]] const int owned_by_stream = fd.Release();
  }
  return stream;
}

}  // extern "C"

}  // namespace openhook::preload
