// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/keeper.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "qemu-shim/seccomp/notifier.h"

namespace openhook::seccomp {

namespace {

constexpr int kLongestPauseMs = 1000;

std::int64_t NowMs() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Waits until the program or the notifier has ended, at most `timeout_ms`; true for the program.
bool ProgramEnded(const Listener& listener, const UniqueFd& notifier, int timeout_ms) {
  pollfd pollers[] = {{listener.PollFd(), 0, 0}, {notifier.Get(), POLLIN, 0}};
  int ready = -1;
  do {
    ready = ::poll(pollers, 2, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return (pollers[0].revents & (POLLHUP | POLLERR)) != 0;
}

// Starts a notifier and waits for its end or the program's; true for the program's.
bool Supervise(const Listener& listener, const Settings& settings, InFlightTable* in_flight) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    RunNotifier(listener, settings, in_flight);
  }
  if (pid < 0) {
    return false;
  }
  const UniqueFd notifier(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool over = notifier.IsValid() && ProgramEnded(listener, notifier, -1);
  if (over || !notifier.IsValid()) {
    // It may be in the middle of a wait for the broker, and nobody wants the answer; or its end
    // could not be noticed.
    ::kill(pid, SIGKILL);
  }
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return over;
}

}  // namespace

void SettleAsKeeper() {
  ::setsid();
  (void)::signal(SIGCHLD, SIG_DFL);
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2}) {
    (void)::signal(number, SIG_IGN);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::umask(077);
  // Otherwise it keeps a file system busy; there is no place to say so.
  [[maybe_unused]] const int at_root = ::chdir("/");
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_NAME, "openhook-keeper");
}

void RunKeeper(const Listener& listener, const Settings& settings, InFlightTable* in_flight) {
  int pause_ms = 0;
  for (;;) {
    const std::int64_t start = NowMs();
    if (Supervise(listener, settings, in_flight)) {
      ::_exit(0);
    }
    // One that dies is replaced at once; one that dies at once is given time.
    pause_ms = NowMs() - start > kLongestPauseMs ? 0 : std::min(2 * pause_ms + 1, kLongestPauseMs);
    if (pause_ms > 1 && ProgramEnded(listener, UniqueFd(), pause_ms)) {
      ::_exit(0);
    }
  }
}

}  // namespace openhook::seccomp
