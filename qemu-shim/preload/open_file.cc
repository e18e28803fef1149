// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/open_file.h"

#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

int OpenFile(int dirfd, const char* path, int flags, mode_t mode) {
  return Perform(
      RouteForPath(dirfd, path), [&] { return native::OpenAt(dirfd, path, flags, mode); },
      [&](Voice voice) { return AskOpen(path, flags, mode, voice); });
}

}  // namespace openhook::preload
