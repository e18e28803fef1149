// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/perform.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string_view>

#include "qemu-shim/preload/process_state.h"

namespace openhook::preload {

namespace {

Route RouteOfRelative(std::string_view path, std::string_view native_directories) {
  char cwd[PATH_MAX];
  const long size = ::syscall(SYS_getcwd, cwd, sizeof(cwd));
  return size <= 1 ? Route::kNativeOnly
                   : client::RouteOfRelative(path, {cwd, static_cast<std::size_t>(size - 1)},
                                             native_directories);
}

}  // namespace

Route RouteForPath(int dirfd, const char* path) {
  const Settings& settings = ProcessSettings();
  if (!settings.enabled || path == nullptr || path[0] == '\0') {
    return Route::kNativeOnly;
  }
  const std::string_view name(path);
  if (name.size() >= PATH_MAX) {
    return Route::kNativeOnly;  // the kernel says ENAMETOOLONG
  }
  if (path[0] == '/') {
    return client::RouteOf(name, settings.native_directories);
  }
  if (dirfd != AT_FDCWD) {
    return Route::kNativeOnly;
  }
  const int saved = errno;
  const Route route = RouteOfRelative(name, settings.native_directories);
  errno = saved;
  return route;
}

}  // namespace openhook::preload
