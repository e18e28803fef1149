// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs a job where it belongs: in a worker process. A broker without a pool (in tests and fuzzers)
// does everything itself, and every callback has been called before the function returns.

#ifndef BROKER_WORKER_JOBS_H_
#define BROKER_WORKER_JOBS_H_

#include <functional>
#include <vector>

#include "broker/worker/chain_job.h"
#include "broker/worker/file_job.h"
#include "broker/worker/pin_job.h"
#include "broker/worker/pool.h"

namespace openhook::worker {

class Jobs {
 public:
  explicit Jobs(Pool* pool) : pool_(pool) {}

  [[nodiscard]] Pool* pool() const { return pool_; }
  // For all jobs of one request.
  [[nodiscard]] Clock::time_point Deadline() const;

  // `done` gets the errors of Pool::Submit() beside those of the job.
  void Run(const FileJob& job, Clock::time_point until, std::function<void(FileResult)> done) const;

  // As many worker jobs as it takes, one after the other; stops at the first error.
  using PinsDone = std::function<void(Result<std::vector<Pinned>>)>;
  void Run(PinJob job, Clock::time_point until, PinsDone done) const;

  // Always in a worker, wherever the images are: a walk takes longer than an open.
  using ChainDone = std::function<void(Result<proto::GrantRequest>)>;
  void Run(const ChainJob& job, Clock::time_point until, ChainDone done) const;

 private:
  Pool* pool_;
};

}  // namespace openhook::worker

#endif  // BROKER_WORKER_JOBS_H_
