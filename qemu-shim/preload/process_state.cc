// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/preload/process_state.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "qemu-shim/preload/native.h"

namespace openhook::preload {

namespace {

struct ProcessState {
  Settings settings;
  pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;  // guards the slot and next_id
  client::ConnectionSlot slot;
  std::uint64_t next_id = 1;
  std::atomic<pid_t> pid{0};
};

constinit ProcessState state;

// Set before the mutex is taken and cleared after it is given back, so that a signal handler sees
// it whenever the mutex might be its own thread's. Static TLS: no allocation on first use.
__attribute__((tls_model("initial-exec"))) thread_local volatile sig_atomic_t inside = 0;

void StartInForkedChild() {
  state.mutex = PTHREAD_MUTEX_INITIALIZER;  // another thread of the parent may have held it
  state.slot.Drop();
  state.pid.store(::getpid(), std::memory_order_relaxed);
}

// Every connection is close-on-exec from here on: it works for this program, with this label,
// alone.
void AdoptLauncherConnection() {
  const int fd = state.settings.launcher_fd;
  if (client::IsBrokerConnection(fd, state.settings.socket) &&
      ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
    state.slot.Put(UniqueFd(fd));
  }
}

void Start() {
  native::LookUpAll();
  ReadSettings(&state.settings);
  state.pid.store(::getpid(), std::memory_order_relaxed);
  if (state.settings.enabled) {
    AdoptLauncherConnection();
    ::pthread_atfork(nullptr, nullptr, StartInForkedChild);
  }
}

// Early, so that neither threads nor signal handlers exist yet.
__attribute__((constructor)) void StartWithTheProgram() { ProcessSettings(); }

}  // namespace

const Settings& ProcessSettings() {
  ::pthread_once(&state.once, Start);
  return state.settings;
}

ConnectionTurn::ConnectionTurn() {
  // A thread cancelled while it waits for the broker would take the mutex with it.
  ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_);
  if (inside != 0 || state.pid.load(std::memory_order_relaxed) != ::getpid()) {
    return;
  }
  inside = 1;
  ::pthread_mutex_lock(&state.mutex);
  shared_ = true;
}

ConnectionTurn::~ConnectionTurn() {
  own_.Drop();
  if (shared_) {
    ::pthread_mutex_unlock(&state.mutex);
    inside = 0;
  }
  ::pthread_setcancelstate(cancel_state_, nullptr);
}

client::ConnectionSlot* ConnectionTurn::Slot() { return shared_ ? &state.slot : &own_; }

std::uint64_t ConnectionTurn::NextId() { return shared_ ? state.next_id++ : 1; }

}  // namespace openhook::preload
