// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/routing.h"

#include <limits.h>

#include <cstring>

#include "broker/base/system_paths.h"

namespace openhook::client {

namespace {

std::string_view WithoutTrailingSlashes(std::string_view directory) {
  while (directory.size() > 1 && directory.back() == '/') {
    directory.remove_suffix(1);
  }
  return directory;
}

bool IsBeneathOneOf(std::string_view path, std::string_view directories) {
  std::string_view rest = directories;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::size_t length = colon == std::string_view::npos ? rest.size() : colon;
    // Not substr(): it may throw, and that would bring the C++ run time into QEMU.
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage)
    const std::string_view directory = WithoutTrailingSlashes({rest.data(), length});
    // "/" would take everything away from the broker: not a private directory of any program.
    if (directory.size() > 1 && directory.front() == '/' && IsBeneath(path, directory)) {
      return true;
    }
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : length + 1);
  }
  return false;
}

}  // namespace

Route RouteOf(std::string_view path, std::string_view native_directories) {
  const bool native = IsSystemPath(path) || IsBeneathOneOf(path, native_directories);
  return native ? Route::kNativeFirst : Route::kBrokerFirst;
}

Route RouteOfRelative(std::string_view path, std::string_view cwd,
                      std::string_view native_directories) {
  char absolute[2 * PATH_MAX];
  if (!cwd.starts_with('/') || cwd.size() >= PATH_MAX || path.size() >= PATH_MAX) {
    return Route::kNativeOnly;  // deleted, or outside of this root: nothing the broker could use
  }
  std::memcpy(absolute, cwd.data(), cwd.size());
  std::size_t length = cwd.size();
  if (length > 1) {
    absolute[length++] = '/';
  }
  std::memcpy(absolute + length, path.data(), path.size());
  return RouteOf({absolute, length + path.size()}, native_directories);
}

}  // namespace openhook::client
