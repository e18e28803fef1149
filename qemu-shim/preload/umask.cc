// SPDX-License-Identifier: LGPL-2.1-or-later
//
// umask(2) can only be read by setting it. Setting it to 0 and back would let a file that another
// thread makes natively in between become writable by everyone, and no lock of ours holds that
// thread. So it is read from /proc/self/status, where Linux shows it since 4.7. Where there is no
// /proc (chroot), the strictest umask is assumed.

#include "qemu-shim/preload/umask.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "broker/base/unique_fd.h"
#include "qemu-shim/client/umask.h"
#include "qemu-shim/preload/native.h"

namespace openhook::preload {

namespace {

mode_t CurrentUmask() {
  const UniqueFd status(native::OpenAt(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0));
  char text[client::kStatusBytesForUmask];
  ssize_t size = -1;
  do {
    size = ::read(status.Get(), text, sizeof(text));
  } while (size < 0 && errno == EINTR);
  if (size <= 0) {
    return client::kStrictestUmask;
  }
  return client::UmaskInStatus({text, static_cast<std::size_t>(size)});
}

}  // namespace

mode_t CutByUmask(mode_t mode) { return mode & 07777 & ~CurrentUmask(); }

}  // namespace openhook::preload
