// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel's end of a trapped system call (seccomp_unotify(2)): receive it, ask whether it still
// waits, and answer it in one of four ways. An answer to a call that does not wait any more (its
// thread was killed) is lost without a trace, which is right.

#ifndef QEMU_SHIM_SECCOMP_LISTENER_H_
#define QEMU_SHIM_SECCOMP_LISTENER_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <utility>

#include "broker/base/unique_fd.h"

namespace openhook::seccomp {

// Room for the notification of a kernel that knows more than our headers: it writes its own size.
struct Notification {
  union {
    seccomp_notif known;
    unsigned char room[512];
  };
};

enum class OnExec : std::uint8_t { kClose, kKeep };

class Listener {
 public:
  explicit Listener(UniqueFd fd) : fd_(std::move(fd)) {}

  // False on a kernel whose structures are larger than ours, and then nothing else may be called.
  [[nodiscard]] static bool KernelFits();

  [[nodiscard]] int PollFd() const { return fd_.Get(); }

  // Waits for a notification. False, with errno, when there was none: ENOENT when its thread was
  // killed before it could be taken.
  [[nodiscard]] bool Receive(Notification* notification) const;
  // Whether the thread is still in that very system call. To be asked after everything that was
  // read about it by its number, since that may belong to somebody else by now.
  [[nodiscard]] bool StillWaits(std::uint64_t id) const;

  // "Do it with your own rights". Never to be used for "allowed": the program can change the path
  // before the kernel reads it again (seccomp_unotify(2), "CONTINUE").
  void Continue(std::uint64_t id) const;
  void Return(std::uint64_t id, std::int64_t value) const;
  void Refuse(std::uint64_t id, int sys_errno) const;
  // Puts `descriptor` into the program's table and returns its number there, in one step. 0, or the
  // errno of the failure; the call waits on after a failure, unless it is ENOENT.
  [[nodiscard]] int Give(std::uint64_t id, const UniqueFd& descriptor, OnExec on_exec) const;

 private:
  UniqueFd fd_;
};

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_LISTENER_H_
