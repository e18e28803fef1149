// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/native.h"

#include <dlfcn.h>
#include <fcntl.h>

#include <atomic>
#include <cerrno>

namespace openhook::preload::native {

namespace {

// One libc function by name. A static of this type is constant-initialised: it works before any
// constructor has run.
template <class Signature>
class Next {
 public:
  constexpr explicit Next(const char* name) : name_(name) {}

  Signature* LookUp() {
    Signature* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      // Two threads may both look it up; they find the same address.
      function = reinterpret_cast<Signature*>(::dlsym(RTLD_NEXT, name_));
      function_.store(function, std::memory_order_relaxed);
    }
    return function;
  }

  // Calls it; `failure` with ENOSYS where this libc does not have it.
  template <class Value, class... Arguments>
  Value Call(Value failure, Arguments... arguments) {
    Signature* function = LookUp();
    if (function == nullptr) {
      errno = ENOSYS;
      return failure;
    }
    return function(arguments...);
  }

 private:
  const char* name_;
  std::atomic<Signature*> function_{nullptr};
};

constinit Next<int(int, const char*, int, ...)> next_openat{"openat64"};
constinit Next<int(int, const char*, int)> next_openat_2{"__openat64_2"};
constinit Next<FILE*(const char*, const char*)> next_fopen{"fopen64"};
constinit Next<int(char*, int)> next_mkostemp{"mkostemp64"};
constinit Next<int(int, const char*, struct stat*, int)> next_fstatat{"fstatat64"};
constinit Next<int(int, const char*, int, unsigned, struct statx*)> next_statx{"statx"};
constinit Next<int(int, const char*, int, int)> next_faccessat{"faccessat"};
constinit Next<int(int, const char*, int)> next_unlinkat{"unlinkat"};
constinit Next<char*(const char*, char*)> next_realpath{"realpath"};

}  // namespace

int OpenAt(int dirfd, const char* path, int flags, mode_t mode) {
  return next_openat.Call(-1, dirfd, path, flags, mode);
}

int OpenAtWithoutMode(int dirfd, const char* path, int flags) {
  return next_openat_2.Call(-1, dirfd, path, flags);
}

FILE* OpenStream(const char* path, const char* mode) {
  return next_fopen.Call(static_cast<FILE*>(nullptr), path, mode);
}

int MakeTemporary(char* name_template, int flags) {
  return next_mkostemp.Call(-1, name_template, flags);
}

int StatAt(int dirfd, const char* path, struct stat* result, int flags) {
  return next_fstatat.Call(-1, dirfd, path, result, flags);
}

int Statx(int dirfd, const char* path, int flags, unsigned mask, struct statx* result) {
  return next_statx.Call(-1, dirfd, path, flags, mask, result);
}

int AccessAt(int dirfd, const char* path, int mode, int flags) {
  return next_faccessat.Call(-1, dirfd, path, mode, flags);
}

int UnlinkAt(int dirfd, const char* path, int flags) {
  return next_unlinkat.Call(-1, dirfd, path, flags);
}

char* RealPath(const char* path, char* resolved) {
  return next_realpath.Call(static_cast<char*>(nullptr), path, resolved);
}

void LookUpAll() {
  next_openat.LookUp();
  next_openat_2.LookUp();
  next_fopen.LookUp();
  next_mkostemp.LookUp();
  next_fstatat.LookUp();
  next_statx.LookUp();
  next_faccessat.LookUp();
  next_unlinkat.LookUp();
  next_realpath.LookUp();
}

}  // namespace openhook::preload::native
