// SPDX-License-Identifier: LGPL-2.1-or-later
//
// access, faccessat, euidaccess: QEMU looks for firmware and modules with them. The broker has no
// notion of real and effective ids: it answers what an open would get.

#include <fcntl.h>
#include <unistd.h>

#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

extern "C" {

int HookFaccessAt(int dirfd, const char* path, int mode, int flags) OPENHOOK_SYMBOL(faccessat);
int HookAccess(const char* path, int mode) OPENHOOK_SYMBOL(access);
int HookEuidAccess(const char* path, int mode) OPENHOOK_SYMBOL(euidaccess);
int HookEaccess(const char* path, int mode) OPENHOOK_ALIAS(eaccess, euidaccess);

int HookFaccessAt(int dirfd, const char* path, int mode, int flags) {
  return Perform(
      RouteForPath(dirfd, path), [&] { return native::AccessAt(dirfd, path, mode, flags); },
      [&](Voice) { return AskAccess(path, mode); });
}

int HookAccess(const char* path, int mode) { return HookFaccessAt(AT_FDCWD, path, mode, 0); }

int HookEuidAccess(const char* path, int mode) {
  return HookFaccessAt(AT_FDCWD, path, mode, AT_EACCESS);
}

}  // extern "C"

}  // namespace openhook::preload
