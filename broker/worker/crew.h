// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What is behind a Pool: the workers, the jobs that wait, and the workers that were killed and are
// not gone yet. Apart from pool.h, which needs no event loop to be included.

#ifndef BROKER_WORKER_CREW_H_
#define BROKER_WORKER_CREW_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/worker/pool.h"

namespace openhook::worker {

class Crew : public std::enable_shared_from_this<Crew> {
 public:
  using WorkerId = std::uint64_t;

  Crew(boost::asio::io_context& loop, Program program, std::chrono::seconds patience);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void Submit(Task task, Pool::Done done);
  void Deliver(WorkerId id, UniqueFd client, const std::string& reply,
               std::function<void(bool)> done);
  void Drop(WorkerId id);
  [[nodiscard]] Counts counts() const;

 private:
  enum class Phase : std::uint8_t {
    kIdle,
    kWorking,
    kHolding,     // a HeldFile is out
    kDelivering,  // kSent or kNotSent is to come
    kClosing,     // kClosed is to come
  };
  struct Worker {
    Worker(boost::asio::io_context& loop, Process process)
        : pid(process.pid), socket(loop, process.socket.Release()) {}
    pid_t pid;
    boost::asio::posix::stream_descriptor socket;
    Phase phase = Phase::kIdle;
    Task task;
    Pool::Done done;                 // kWorking
    std::function<void(bool)> sent;  // kDelivering
  };
  struct Leaving {
    pid_t pid;
    std::uint64_t place;
    Clock::time_point since;
  };
  struct Waiting {
    Task task;
    Pool::Done done;
  };
  // What is told to others is told last: they may come back with the next job.
  using Calls = std::vector<std::function<void()>>;

  [[nodiscard]] std::optional<Error> RefusalFor(const Task& task) const;
  [[nodiscard]] std::size_t StuckAt(std::uint64_t place) const;
  [[nodiscard]] std::size_t TakenAt(std::uint64_t place) const;
  [[nodiscard]] std::size_t IdleCount() const;
  void Pump(Calls* calls);
  Result<WorkerId> FindWorker();
  void Begin(WorkerId id, Waiting waiting, Calls* calls);
  void AwaitPacket(WorkerId id);
  void ReadPacket(WorkerId id);
  void TakePacket(WorkerId id, Verb verb, std::string content, Calls* calls);
  void BecomeIdle(WorkerId id);
  void Dismiss(WorkerId id, const Error& error, Calls* calls);
  void Reap();
  void EndOverdue(Calls* calls);
  void EndHopeless(Calls* calls);
  void Tick();
  void ArmTimer();
  void Settle(const Calls& calls);

  boost::asio::io_context& loop_;
  Program program_;
  std::chrono::seconds patience_;
  boost::asio::steady_timer timer_;
  WorkerId next_id_ = 1;
  std::map<WorkerId, Worker> workers_;
  std::deque<Waiting> waiting_;
  std::vector<Leaving> leaving_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace openhook::worker

#endif  // BROKER_WORKER_CREW_H_
