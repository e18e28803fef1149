// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/support/idler.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace openhook::testing {

namespace {

// Not fork(3): ThreadSanitizer's would start its own thread in the child, and the kernel gives a
// new user namespace to processes of one thread only.
pid_t Fork() { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

}  // namespace

Idler::Idler(const std::function<bool()>& setup) {
  int ready[2];
  if (::pipe(ready) != 0) {
    return;
  }
  pid_ = Fork();
  if (pid_ == 0) {
    const char done = setup() ? 'y' : 'n';
    (void)!::write(ready[1], &done, 1);
    for (;;) {
      ::pause();
    }
  }
  char done = 'n';
  (void)!::read(ready[0], &done, 1);
  set_up_ = done == 'y';
  ::close(ready[0]);
  ::close(ready[1]);
}

void Idler::Kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
}

}  // namespace openhook::testing
