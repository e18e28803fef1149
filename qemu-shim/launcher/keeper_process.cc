// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/keeper_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "qemu-shim/seccomp/handover.h"

namespace openhook::launcher {

namespace {

constexpr int kProgramFd = seccomp::kKeeperSocket + 1;
constexpr int kAboveAll = 16;

// Descriptors of the program (its monitor, its standard streams) must not live on in the keeper:
// whoever waits for their end would wait for it.
void KeepOnly(const UniqueFd& program, const UniqueFd& socket) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd high_program(::fcntl(program.Get(), F_DUPFD_CLOEXEC, kAboveAll));
  const UniqueFd high_socket(::fcntl(socket.Get(), F_DUPFD_CLOEXEC, kAboveAll));
  const UniqueFd high_null(::fcntl(null.Get(), F_DUPFD_CLOEXEC, kAboveAll));
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(high_null.Get(), standard);
  }
  ::dup2(high_socket.Get(), seccomp::kKeeperSocket);
  ::dup3(high_program.Get(), kProgramFd, O_CLOEXEC);
}

[[noreturn]] void BecomeKeeper(const UniqueFd& notifier, const UniqueFd& socket,
                               const KeeperArguments& arguments) {
  KeepOnly(notifier, socket);
  ::syscall(SYS_close_range, kProgramFd + 1, ~0U, 0);
  const char* const words[] = {"openhook-notifier", arguments.socket.c_str(),
                               arguments.native_directories.c_str(), arguments.wait_ms.c_str(),
                               nullptr};
  const char* const no_environment[] = {nullptr};
  ::syscall(SYS_execveat, kProgramFd, "", words, no_environment, AT_EMPTY_PATH);
  const UniqueFd launcher(seccomp::kKeeperSocket);
  seccomp::SayFailed(launcher, ErrnoError(errno, "cannot execute openhook-notifier"));
  ::_exit(1);
}

// Holds SIGCHLD back for its life, and takes away the one that came meanwhile.
class NoChildSignal {
 public:
  NoChildSignal() {
    ::sigemptyset(&child_);
    ::sigaddset(&child_, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child_, &before_);
  }
  ~NoChildSignal() {
    constexpr timespec kDontWait{};
    ::sigtimedwait(&child_, nullptr, &kDontWait);
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  NoChildSignal(const NoChildSignal&) = delete;
  NoChildSignal& operator=(const NoChildSignal&) = delete;

 private:
  sigset_t child_;
  sigset_t before_;
};

}  // namespace

Result<UniqueFd> StartKeeper(const UniqueFd& notifier, const KeeperArguments& arguments) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return FailErrno(errno, "cannot make a pair of sockets");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const NoChildSignal no_child_signal;
  const pid_t middle = ::fork();
  if (middle < 0) {
    return FailErrno(errno, "cannot start the keeper of the seccomp listener");
  }
  if (middle == 0) {
    // The keeper loses its parent at once, and gets init or a subreaper for one.
    if (::fork() == 0) {
      BecomeKeeper(notifier, theirs, arguments);
    }
    ::_exit(0);
  }
  while (::waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {
  }
  return ours;
}

}  // namespace openhook::launcher
