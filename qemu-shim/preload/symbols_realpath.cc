// SPDX-License-Identifier: LGPL-2.1-or-later
//
// realpath: QEMU compares the "base" and "top" file names of block-commit by it, and a directory
// that QEMU cannot search would make every image "not in the backing chain". The broker opens only
// names without symlinks, so a name that it knows is its own real path once it is absolute and free
// of "." and doubled slashes. Names with ".." keep libc's answer.

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

namespace {

// Appends the components of `path` to the `length` bytes in `clean`. False for "..", and for more
// than a path may have.
bool AppendComponents(std::string_view path, char* clean, std::size_t* length) {
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t slash = path.find('/', begin);
    const std::size_t end = slash == std::string_view::npos ? path.size() : slash;
    const std::string_view part(path.data() + begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == ".." || *length + 1 + part.size() >= PATH_MAX) {
      return false;
    }
    clean[(*length)++] = '/';
    std::memcpy(clean + *length, part.data(), part.size());
    *length += part.size();
  }
  return true;
}

bool CleanPath(const char* path, char* clean) {
  std::size_t length = 0;
  if (path[0] != '/') {
    char directory[PATH_MAX];
    if (::syscall(SYS_getcwd, directory, sizeof(directory)) <= 0 || directory[0] != '/' ||
        !AppendComponents(directory, clean, &length)) {
      return false;
    }
  }
  if (!AppendComponents(path, clean, &length) || length == 0) {
    return false;
  }
  clean[length] = '\0';
  return true;
}

char* RealPath(const char* path, char* resolved) {
  char* native = native::RealPath(path, resolved);
  if (native != nullptr || errno != EACCES || RouteForPath(AT_FDCWD, path) == Route::kNativeOnly) {
    return native;
  }
  char clean[PATH_MAX];
  if (!CleanPath(path, clean) || AskAccess(path, F_OK).kind != Asked::Kind::kDone) {
    errno = EACCES;
    return nullptr;
  }
  // realpath(3): a buffer that is given holds PATH_MAX bytes.
  return resolved == nullptr
             ? ::strdup(clean)
             : static_cast<char*>(std::memcpy(resolved, clean, std::strlen(clean) + 1));
}

}  // namespace

extern "C" {

char* HookRealpath(const char* path, char* resolved) OPENHOOK_SYMBOL(realpath);
char* HookRealpathChk(const char* path, char* resolved, std::size_t size)
    OPENHOOK_SYMBOL(__realpath_chk);

char* HookRealpath(const char* path, char* resolved) { return RealPath(path, resolved); }

// The fortified form promises a buffer of PATH_MAX bytes or ends the program.
char* HookRealpathChk(const char* path, char* resolved, std::size_t size) {
  if (size < PATH_MAX) {
    ::abort();
  }
  return RealPath(path, resolved);
}

}  // extern "C"

}  // namespace openhook::preload
