// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The worker processes of one broker: gives each job to one of a few, and to no more than two for
// one file system, so that one that does not answer leaves workers for the others. A job that is
// not done by its deadline is answered with an error, its worker is killed and another takes its
// place. What the kernel does not let go even then is counted, and after a limit nothing more is
// asked of that file system until it answers.
//
// Single-threaded, on the broker's event loop; never waits.

#ifndef BROKER_WORKER_POOL_H_
#define BROKER_WORKER_POOL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "broker/worker/process.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): not ours
}  // namespace boost::asio

namespace openhook::worker {

using Clock = std::chrono::steady_clock;

class Crew;

// A file that a worker has opened and holds for one reply. Given up when destroyed.
class HeldFile {
 public:
  HeldFile(std::weak_ptr<Crew> crew, std::uint64_t worker)
      : crew_(std::move(crew)), worker_(worker) {}
  HeldFile(HeldFile&&) = default;
  HeldFile& operator=(HeldFile&& other) noexcept;
  HeldFile(const HeldFile&) = delete;
  HeldFile& operator=(const HeldFile&) = delete;
  ~HeldFile();

  // Has the worker send `reply` with the file on `client`, a copy of the client's socket. Calls
  // `done` once, perhaps before it returns: with false when nothing was sent.
  void Deliver(UniqueFd client, const std::string& reply, std::function<void(bool)> done);

 private:
  std::weak_ptr<Crew> crew_;  // empty once it was delivered
  std::uint64_t worker_ = 0;
};

struct Task {
  std::uint64_t place = 0;  // tells file systems apart
  std::string path;         // for messages
  std::string job;          // for the program
  Clock::time_point until;
};

struct Finished {
  std::string reply;
  std::optional<HeldFile> file;
};

struct Counts {
  std::size_t busy = 0;
  std::size_t stuck = 0;    // killed, and still there
  std::size_t waiting = 0;  // jobs that no worker has begun
};

class Pool {
 public:
  // Errors for `done`: kUnavailable with ETIMEDOUT after the deadline, EIO when the worker died or
  // the file system is given up for now; kLimit with EBUSY when too many jobs wait.
  using Done = std::function<void(Result<Finished>)>;

  // `patience` is what Deadline() adds to now, and the time that a last close may take.
  Pool(boost::asio::io_context& loop, Program program, std::chrono::seconds patience);
  // Kills all workers, and waits for none.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Calls `done` once, perhaps before it returns; never after the pool is gone.
  void Submit(Task task, Done done);

  [[nodiscard]] Clock::time_point Deadline() const;
  [[nodiscard]] Counts counts() const;

  // For the start, before anything else is on the loop: lets it run until `finished`.
  void RunUntil(const std::function<bool()>& finished);

 private:
  boost::asio::io_context& loop_;
  std::chrono::seconds patience_;
  std::shared_ptr<Crew> crew_;
};

}  // namespace openhook::worker

#endif  // BROKER_WORKER_POOL_H_
