// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every worker of the open benchmark does: read a Batch from standard input, open and close a
// file that often in its own way, write a Timing to standard output. A worker is a process of its
// own, so that each way has its own preload library, connection and processor.

#ifndef TESTS_BENCH_WORKER_H_
#define TESTS_BENCH_WORKER_H_

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <vector>

namespace openhook::bench {

struct Batch {
  std::uint32_t opens;
};

struct Timing {
  std::int64_t total_ns;
  std::int64_t median_ns;  // of the single calls
  std::int64_t p99_ns;
};

inline std::int64_t NowNanos() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Runs until standard input ends. `open_and_close` returns false when the file could not be opened;
// the status is then 1.
template <class OpenAndClose>
int ServeBatches(OpenAndClose open_and_close) {
  Batch batch{};
  std::vector<std::int64_t> calls;
  while (::read(STDIN_FILENO, &batch, sizeof(batch)) == sizeof(batch)) {
    calls.assign(batch.opens, 0);
    std::int64_t before = NowNanos();
    const std::int64_t start = before;
    for (std::int64_t& call : calls) {
      if (!open_and_close()) {
        return 1;
      }
      const std::int64_t now = NowNanos();
      call = now - before;
      before = now;
    }
    std::sort(calls.begin(), calls.end());
    const Timing timing{before - start, calls[calls.size() / 2], calls[calls.size() * 99 / 100]};
    if (::write(STDOUT_FILENO, &timing, sizeof(timing)) != sizeof(timing)) {
      return 1;
    }
  }
  return 0;
}

}  // namespace openhook::bench

#endif  // TESTS_BENCH_WORKER_H_
