// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/notifier.h"

#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace openhook::seccomp {

namespace {

struct Shared {
  const Listener& listener;
  const Settings& settings;
  InFlightTable* in_flight;
  std::atomic<std::size_t> workers{0};  // 0 until all of them have been started
};

struct Worker {
  Shared* shared = nullptr;
  std::size_t index = 0;
};

void Clear(InFlightCall* call) { std::memset(call, 0, sizeof(*call)); }

// A worker's own slot, and those that no worker of this process has.
void FinishWhatWasLeft(const Worker& worker, Service* service) {
  const std::size_t workers = worker.shared->workers.load();
  for (std::size_t i = worker.index; i < kWorkers; i += workers) {
    InFlightCall* call = &(*worker.shared->in_flight)[i];
    if (IsPending(*call) && worker.shared->listener.StillWaits(call->notification.known.id)) {
      service->Serve(call);
    }
    Clear(call);
  }
}

void* Work(void* argument) {
  const Worker& worker = *static_cast<Worker*>(argument);
  worker.shared->workers.wait(0);
  Service service(worker.shared->listener, worker.shared->settings);
  FinishWhatWasLeft(worker, &service);
  InFlightCall* call = &(*worker.shared->in_flight)[worker.index];
  for (;;) {
    // EINTR, or ENOENT: its thread was killed before we took it. Other failures do not exist while
    // there is a program; a pause keeps one that we do not know from burning a processor.
    if (worker.shared->listener.Receive(&call->notification)) {
      service.Serve(call);
    } else if (errno != EINTR && errno != ENOENT) {
      constexpr timespec kPause{0, 10'000'000};
      ::nanosleep(&kPause, nullptr);
    }
    Clear(call);
  }
}

void WaitForTheEnd(const Listener& listener) {
  pollfd poller{listener.PollFd(), 0, 0};  // POLLHUP comes unasked
  while (::poll(&poller, 1, -1) < 0 && errno == EINTR) {
  }
}

}  // namespace

void RunNotifier(const Listener& listener, const Settings& settings, InFlightTable* in_flight) {
  ::prctl(PR_SET_NAME, "openhook-notify");
  Shared shared{listener, settings, in_flight};
  std::array<Worker, kWorkers> workers;
  std::size_t started = 0;
  for (Worker& worker : workers) {
    worker = {&shared, started};
    pthread_t thread{};
    if (::pthread_create(&thread, nullptr, Work, &worker) != 0) {
      break;  // the limit of the user's processes: fewer will do
    }
    ::pthread_detach(thread);
    ++started;
  }
  if (started == 0) {
    ::_exit(1);
  }
  shared.workers.store(started);
  shared.workers.notify_all();
  WaitForTheEnd(listener);
  ::_exit(0);
}

}  // namespace openhook::seccomp
