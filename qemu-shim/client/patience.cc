// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/patience.h"

#include <poll.h>

#include <cerrno>
#include <ctime>

namespace openhook::client {

namespace {

constexpr int kLongestPauseMs = 50;

std::int64_t NowMs() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// A signal may shorten one sleep: the caller counts time, not sleeps.
void SleepMs(int duration_ms) {
  const timespec duration{duration_ms / 1000, duration_ms % 1000 * 1'000'000L};
  (void)::nanosleep(&duration, nullptr);
}

}  // namespace

std::int64_t Patience::Remaining() {
  const std::int64_t now = NowMs();
  if (end_ms_ < 0) {
    end_ms_ = now + wait_ms_;
  }
  return end_ms_ - now;
}

bool Patience::Pause() {
  const std::int64_t remaining = Remaining();
  if (remaining <= 0 && pause_ms_ > 0) {
    return false;
  }
  if (pause_ms_ > 0) {
    SleepMs(remaining < pause_ms_ ? static_cast<int>(remaining) : pause_ms_);
  }
  pause_ms_ = pause_ms_ == 0 ? 1 : pause_ms_ * 2;
  if (pause_ms_ > kLongestPauseMs) {
    pause_ms_ = kLongestPauseMs;
  }
  return true;
}

bool Patience::AwaitReadable(int socket) {
  pollfd poller{socket, POLLIN, 0};
  for (;;) {
    const std::int64_t remaining = Remaining();
    const int ready = ::poll(&poller, 1, remaining > 0 ? static_cast<int>(remaining) : 0);
    if (ready >= 0 || errno != EINTR) {
      return ready > 0;
    }
    if (remaining <= 0) {
      return false;
    }
  }
}

}  // namespace openhook::client
