// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/native_guess.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "broker/base/system_paths.h"

namespace openhook::seccomp {

namespace {

bool TableForbidsWriting(std::string_view path) {
  for (const SystemPath& system : kSystemPaths) {
    if (IsBeneath(path, system.prefix)) {
      return system.use == SystemUse::kRead || system.use == SystemUse::kExecute;
    }
  }
  return false;
}

int ModeOf(WantedUse use) {
  switch (use) {
    case WantedUse::kRead:
      return R_OK;
    case WantedUse::kWrite:
      return W_OK;
    case WantedUse::kExistence:
    case WantedUse::kLink:
      break;
  }
  return F_OK;
}

}  // namespace

bool KernelWouldRefuse(const char* path, WantedUse use) {
  // Names of the asking process mean the notifier itself here, and nobody grants them.
  if (IsBeneath(path, "/proc") || IsBeneath(path, "/dev/fd") || IsBeneath(path, "/dev/stdin") ||
      IsBeneath(path, "/dev/stdout") || IsBeneath(path, "/dev/stderr")) {
    return false;
  }
  // A link that leads nowhere exists as a link.
  const int flags = use == WantedUse::kLink ? AT_SYMLINK_NOFOLLOW : 0;
  if (::faccessat(AT_FDCWD, path, ModeOf(use), flags) != 0) {
    return errno == EACCES || errno == EPERM || errno == EROFS;
  }
  return use == WantedUse::kWrite && TableForbidsWriting(path);
}

}  // namespace openhook::seccomp
