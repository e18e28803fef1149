// SPDX-License-Identifier: LGPL-2.1-or-later
//
// unlink, unlinkat and remove: sockets before bind, temporary overlays, and the clean-up of a
// create that failed. The broker removes only what this VM has created through it.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

extern "C" {

int HookUnlinkAt(int dirfd, const char* path, int flags) OPENHOOK_SYMBOL(unlinkat);
int HookUnlink(const char* path) OPENHOOK_SYMBOL(unlink);
int HookRemove(const char* path) OPENHOOK_SYMBOL(remove);

int HookUnlinkAt(int dirfd, const char* path, int flags) {
  // Directories are not the broker's: AT_REMOVEDIR, and whatever else a flag may mean.
  const Route route = flags == 0 ? RouteForPath(dirfd, path) : Route::kNativeOnly;
  return Perform(
      route, [&] { return native::UnlinkAt(dirfd, path, flags); },
      [&](Voice) { return AskUnlink(path); });
}

int HookUnlink(const char* path) { return HookUnlinkAt(AT_FDCWD, path, 0); }

// remove(3): unlink(2) for files, rmdir(2) for directories, which unlink answers with EISDIR.
int HookRemove(const char* path) {
  const int removed = HookUnlinkAt(AT_FDCWD, path, 0);
  return removed == 0 || errno != EISDIR ? removed : native::UnlinkAt(AT_FDCWD, path, AT_REMOVEDIR);
}

}  // extern "C"

}  // namespace openhook::preload
