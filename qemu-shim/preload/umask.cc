// SPDX-License-Identifier: LGPL-2.1-or-later
//
// umask(2) can only be read by setting it. Setting it to 0 and back would let a file that another
// thread makes natively in between become writable by everyone, and no lock of ours holds that
// thread. So it is read from /proc/self/status, where Linux shows it since 4.7. Where there is no
// /proc (chroot), the strictest umask is assumed: a file with too few rights is an annoyance, one
// with too many a hole.

#include "qemu-shim/preload/umask.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "broker/base/unique_fd.h"
#include "qemu-shim/preload/native.h"

namespace openhook::preload {

namespace {

constexpr mode_t kStrictest = 077;

mode_t ParseOctal(const char* digits, const char* end) {
  mode_t value = 0;
  for (const char* c = digits; c < end && *c >= '0' && *c <= '7'; ++c) {
    value = value * 8 + static_cast<mode_t>(*c - '0');
  }
  return value;
}

mode_t CurrentUmask() {
  const UniqueFd status(native::OpenAt(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0));
  char text[256];  // "Umask:" is the second line, after the name of at most 64 bytes
  ssize_t size = -1;
  do {
    size = ::read(status.Get(), text, sizeof(text));
  } while (size < 0 && errno == EINTR);
  if (size <= 0) {
    return kStrictest;
  }
  const std::string_view lines(text, static_cast<std::size_t>(size));
  constexpr std::string_view kField = "\nUmask:\t";
  const std::size_t at = lines.find(kField);
  return at == std::string_view::npos ? kStrictest
                                      : ParseOctal(text + at + kField.size(), text + size);
}

}  // namespace

mode_t CutByUmask(mode_t mode) { return mode & 07777 & ~CurrentUmask(); }

}  // namespace openhook::preload
