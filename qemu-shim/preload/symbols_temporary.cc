// SPDX-License-Identifier: LGPL-2.1-or-later
//
// mkstemp and mkostemp: memory-backend-file in a directory. Beneath a private directory of the
// program libc does it; elsewhere the broker creates the file under names that are made up here.

#include <fcntl.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "qemu-shim/preload/export.h"
#include "qemu-shim/preload/native.h"
#include "qemu-shim/preload/perform.h"

namespace openhook::preload {

namespace {

constexpr std::string_view kPlaceholder = "XXXXXX";
constexpr int kAttempts = 100;  // 62^6 names: two collisions in a row are already odd
constexpr mode_t kPrivateMode = 0600;

// The six characters to be replaced, or nullptr where there are none.
char* PlaceholderOf(char* name) {
  const std::string_view text(name);
  return text.ends_with(kPlaceholder) ? name + text.size() - kPlaceholder.size() : nullptr;
}

void WriteRandomName(char* placeholder) {
  static constexpr char kLetters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::uint64_t random = 0;
  while (::getrandom(&random, sizeof(random), 0) < 0 && errno == EINTR) {
  }
  for (std::size_t i = 0; i < kPlaceholder.size(); ++i) {
    placeholder[i] = kLetters[random % (sizeof(kLetters) - 1)];
    random /= sizeof(kLetters) - 1;
  }
}

Asked AskTemporary(char* name, char* placeholder, int flags, Voice voice) {
  Asked asked;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    WriteRandomName(placeholder);
    asked = AskOpen(name, flags | O_RDWR | O_CREAT | O_EXCL, kPrivateMode, voice);
    if (asked.kind != Asked::Kind::kRefused || errno != EEXIST) {
      break;
    }
  }
  if (asked.kind != Asked::Kind::kDone) {
    std::memcpy(placeholder, kPlaceholder.data(), kPlaceholder.size());
  }
  return asked;
}

}  // namespace

extern "C" {

int HookMkostemp(char* name, int flags) OPENHOOK_SYMBOL(mkostemp);
int HookMkostemp64(char* name, int flags) OPENHOOK_ALIAS(mkostemp64, mkostemp);
int HookMkstemp(char* name) OPENHOOK_SYMBOL(mkstemp);
int HookMkstemp64(char* name) OPENHOOK_ALIAS(mkstemp64, mkstemp);

int HookMkostemp(char* name, int flags) {
  char* placeholder = name == nullptr ? nullptr : PlaceholderOf(name);
  const Route route = placeholder == nullptr ? Route::kNativeOnly : RouteForPath(AT_FDCWD, name);
  return Perform(
      route, [&] { return native::MakeTemporary(name, flags); },
      [&](Voice voice) { return AskTemporary(name, placeholder, flags, voice); });
}

int HookMkstemp(char* name) { return HookMkostemp(name, 0); }

}  // extern "C"

}  // namespace openhook::preload
