// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/perform.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "qemu-shim/preload/process_state.h"

namespace openhook::preload {

namespace {

// The path behind the working directory, for classification only: it is not resolved.
Route RouteOfRelative(std::string_view path, std::string_view native_directories) {
  char absolute[2 * PATH_MAX];
  const long size = ::syscall(SYS_getcwd, absolute, PATH_MAX);
  if (size <= 1 || absolute[0] != '/') {
    return Route::kNativeOnly;  // deleted, or outside of this root: nothing the broker could use
  }
  auto length = static_cast<std::size_t>(size - 1);
  if (length > 1) {
    absolute[length++] = '/';
  }
  std::memcpy(absolute + length, path.data(), path.size());
  return RouteOf({absolute, length + path.size()}, native_directories);
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
    return RouteOf(name, settings.native_directories);
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
