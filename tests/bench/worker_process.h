// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The benchmark's hold on its workers and servers: starts one, puts it on a processor, lets it do a
// batch. Any failure ends the benchmark with a message: a figure is right or absent.

#ifndef TESTS_BENCH_WORKER_PROCESS_H_
#define TESTS_BENCH_WORKER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/bench/worker.h"

namespace openhook::bench {

[[noreturn]] void Die(const std::string& message);

// Starts a program with this environment added to ours; -1 leaves a standard stream as it is.
struct Launch {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  int standard_input = -1;
  int standard_output = -1;
};
pid_t Start(const Launch& launch);

void PinTo(pid_t process, int processor);
void PinThreadsTo(pid_t process, int processor);

class Worker {
 public:
  explicit Worker(Launch launch);  // the standard streams are the worker's own
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Timing Run(Batch batch) const;

 private:
  pid_t pid_ = -1;
  int requests_ = -1;
  int timings_ = -1;
};

}  // namespace openhook::bench

#endif  // TESTS_BENCH_WORKER_PROCESS_H_
