// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The thread whose system call waits, seen from outside by its number: its memory and what /proc
// tells. All of it needs the rights of a debugger, which the notifier has as long as it is the same
// user and the program can be debugged. Everything that is read is only as true as the program
// wants it to be, and may belong to somebody else once the thread was killed: ask
// Listener::StillWaits() afterwards.

#ifndef QEMU_SHIM_SECCOMP_TARGET_H_
#define QEMU_SHIM_SECCOMP_TARGET_H_

#include <limits.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "broker/base/unique_fd.h"

namespace openhook::seccomp {

class Target {
 public:
  explicit Target(pid_t thread) : thread_(thread) {}

  // The NUL-terminated bytes at `address`, in `buffer`. Nothing when they cannot be read, or are
  // not terminated within PATH_MAX.
  [[nodiscard]] std::optional<std::string_view> ReadPath(std::uint64_t address,
                                                         char (&buffer)[PATH_MAX]) const;
  // All or nothing.
  [[nodiscard]] bool Read(std::uint64_t address, void* to, std::size_t size) const;
  [[nodiscard]] bool Write(std::uint64_t address, const void* from, std::size_t size) const;

  // Nothing when it was deleted, or cannot be seen from here.
  [[nodiscard]] std::optional<std::string_view> WorkingDirectory(char (&buffer)[PATH_MAX]) const;
  [[nodiscard]] mode_t Umask() const;
  // False when its table of descriptors is full.
  [[nodiscard]] bool HasRoomForADescriptor() const;
  // A copy of its standard error; invalid when there is none.
  [[nodiscard]] UniqueFd StandardError() const;

 private:
  pid_t thread_;
};

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_TARGET_H_
