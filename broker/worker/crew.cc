// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/crew.h"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "broker/base/limits.h"
#include "broker/fs/mounts.h"
#include "proto/bundle.h"

namespace openhook::worker {

namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

// A process that was killed is gone within milliseconds, unless it hangs in the kernel.
constexpr milliseconds kStuckAfter(1000);
constexpr milliseconds kReapInterval(50);

std::string Seconds(Clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

Error TooLate(const Task& task, std::chrono::seconds patience) {
  return ErrnoError(ETIMEDOUT, "no answer within " + Seconds(patience) +
                                   " from the file system of " +
                                   fs::DescribeFileSystemOf(task.path) +
                                   "; the broker does not wait longer (openhookd --io-deadline)");
}

Error GivenUp(const Task& task, std::size_t stuck) {
  return ErrnoError(EIO, std::to_string(stuck) +
                             " processes hang in the kernel on the file system of " +
                             fs::DescribeFileSystemOf(task.path) +
                             "; nothing more is asked of it until it answers them");
}

Error Died(const Task& task) {
  return ErrnoError(EIO, "the worker process that looked at " +
                             fs::DescribeFileSystemOf(task.path) +
                             " ended before it was done; ask again");
}

}  // namespace

Crew::Crew(asio::io_context& loop, Program program, std::chrono::seconds patience)
    : loop_(loop),
      program_(std::move(program)),
      patience_(patience),
      timer_(loop),
      buffer_(limits::kMaxWorkerPacket) {}

Crew::~Crew() {
  for (const auto& [id, worker] : workers_) {
    ::kill(worker.pid, SIGKILL);
    (void)::waitpid(worker.pid, nullptr, WNOHANG);
  }
}

Counts Crew::counts() const {
  const auto stuck = std::count_if(leaving_.begin(), leaving_.end(), [](const Leaving& one) {
    return Clock::now() - one.since > kStuckAfter;
  });
  return {workers_.size() - IdleCount(), static_cast<std::size_t>(stuck), waiting_.size()};
}

std::size_t Crew::IdleCount() const {
  return static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(),
                    [](const auto& one) { return one.second.phase == Phase::kIdle; }));
}

std::size_t Crew::StuckAt(std::uint64_t place) const {
  return static_cast<std::size_t>(
      std::count_if(leaving_.begin(), leaving_.end(), [place](const Leaving& one) {
        return one.place == place && Clock::now() - one.since > kStuckAfter;
      }));
}

// A worker that is being killed counts until it is gone: it may be one that does not go.
std::size_t Crew::TakenAt(std::uint64_t place) const {
  const auto working = std::count_if(workers_.begin(), workers_.end(), [place](const auto& one) {
    return one.second.phase != Phase::kIdle && one.second.task.place == place;
  });
  const auto leaving = std::count_if(leaving_.begin(), leaving_.end(),
                                     [place](const Leaving& one) { return one.place == place; });
  return static_cast<std::size_t>(working + leaving);
}

std::optional<Error> Crew::RefusalFor(const Task& task) const {
  const std::size_t stuck_here = StuckAt(task.place);
  if (stuck_here >= limits::kMaxWorkersPerFileSystem) {
    return GivenUp(task, stuck_here);
  }
  if (const std::size_t stuck = counts().stuck; stuck >= limits::kMaxStuckWorkers) {
    return ErrnoError(EIO, std::to_string(stuck) +
                               " processes hang in the kernel on file systems that do not answer; "
                               "until some do, no file is opened that may hang too");
  }
  const auto same = std::count_if(waiting_.begin(), waiting_.end(), [&task](const Waiting& one) {
    return one.task.place == task.place;
  });
  if (waiting_.size() >= limits::kMaxWaitingJobs ||
      static_cast<std::size_t>(same) >= limits::kMaxWaitingJobsPerFileSystem) {
    return ErrnoError(EBUSY, "too many requests wait already for the file system of " +
                                 fs::DescribeFileSystemOf(task.path));
  }
  return std::nullopt;
}

void Crew::Submit(Task task, Pool::Done done) {
  if (const auto refusal = RefusalFor(task)) {
    return done(tl::make_unexpected(*refusal));
  }
  waiting_.push_back({std::move(task), std::move(done)});
  Calls calls;
  Pump(&calls);
  Settle(calls);
}

// In order, but a file system that has its share does not hold up the others.
void Crew::Pump(Calls* calls) {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if (TakenAt(next->task.place) >= limits::kMaxWorkersPerFileSystem) {
      ++next;
      continue;
    }
    const auto worker = FindWorker();
    if (!worker && worker.error().code == ErrorCode::kLimit) {
      return;
    }
    Waiting job = std::move(*next);
    next = waiting_.erase(next);
    if (worker) {
      Begin(*worker, std::move(job), calls);
    } else {
      calls->push_back([done = std::move(job.done), error = worker.error()] {
        done(tl::make_unexpected(error));
      });
    }
  }
}

// An idle one, or a new one. Errors: kLimit when all are at work.
Result<Crew::WorkerId> Crew::FindWorker() {
  for (const auto& [id, worker] : workers_) {
    if (worker.phase == Phase::kIdle) {
      return id;
    }
  }
  if (workers_.size() >= limits::kMaxWorkers) {
    return Fail(ErrorCode::kLimit, "all worker processes are busy");
  }
  auto process = StartProcess(program_);
  if (!process) {
    process.error().code = ErrorCode::kIo;
    return tl::make_unexpected(process.error());
  }
  const WorkerId id = next_id_++;
  workers_.try_emplace(id, loop_, std::move(*process));
  AwaitPacket(id);
  return id;
}

void Crew::Begin(WorkerId id, Waiting waiting, Calls* calls) {
  Worker& worker = workers_.at(id);
  worker.phase = Phase::kWorking;
  worker.task = std::move(waiting.task);
  worker.done = std::move(waiting.done);
  const std::string packet = static_cast<char>(Verb::kJob) + std::exchange(worker.task.job, {});
  if (SendBundle(worker.socket.native_handle(), packet.data(), packet.size(), WaitMode::kDontWait)
          .status != BundleStatus::kOk) {
    Dismiss(id, Died(worker.task), calls);
  }
}

void Crew::AwaitPacket(WorkerId id) {
  workers_.at(id).socket.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [weak = weak_from_this(), id](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self && self->workers_.contains(id)) {
          self->ReadPacket(id);
        }
      });
}

void Crew::ReadPacket(WorkerId id) {
  Calls calls;
  Worker& worker = workers_.at(id);
  const ReceivedBundle packet =
      ReceiveBundle(worker.socket.native_handle(), buffer_.data(), buffer_.size(),
                    DescriptorRule::kNone, WaitMode::kDontWait);
  if (packet.status == BundleStatus::kOk) {
    TakePacket(id, static_cast<Verb>(buffer_[0]),
               std::string(buffer_.begin() + 1,
                           buffer_.begin() + static_cast<std::ptrdiff_t>(packet.size)),
               &calls);
  } else if (packet.status != BundleStatus::kAgain) {
    Dismiss(id, Died(worker.task), &calls);
  }
  if (workers_.contains(id)) {
    AwaitPacket(id);
  }
  Pump(&calls);
  Settle(calls);
}

void Crew::TakePacket(WorkerId id, Verb verb, std::string content, Calls* calls) {
  Worker& worker = workers_.at(id);
  const bool done = verb == Verb::kDone || verb == Verb::kDoneHolding;
  const bool sent = verb == Verb::kSent || verb == Verb::kNotSent;
  if (worker.phase == Phase::kWorking && done) {
    Finished finished{std::move(content), std::nullopt};
    auto call = std::exchange(worker.done, {});
    if (verb == Verb::kDoneHolding) {
      worker.phase = Phase::kHolding;
      finished.file.emplace(weak_from_this(), id);
    } else {
      BecomeIdle(id);
    }
    calls->push_back([call = std::move(call), finished = std::make_shared<Finished>(std::move(
                                                  finished))] { call(std::move(*finished)); });
  } else if (worker.phase == Phase::kDelivering && sent) {
    worker.phase = Phase::kClosing;
    calls->push_back(
        [call = std::exchange(worker.sent, {}), ok = verb == Verb::kSent] { call(ok); });
  } else if (worker.phase == Phase::kClosing && verb == Verb::kClosed) {
    BecomeIdle(id);
  } else {
    Dismiss(id, Died(worker.task), calls);
  }
}

void Crew::BecomeIdle(WorkerId id) {
  Worker& worker = workers_.at(id);
  worker.phase = Phase::kIdle;
  worker.task = Task();
  if (IdleCount() > limits::kMaxIdleWorkers) {
    Calls none;
    Dismiss(id, {}, &none);
  }
}

// Whatever the worker was at ends with `error`.
void Crew::Dismiss(WorkerId id, const Error& error, Calls* calls) {
  Worker& worker = workers_.at(id);
  if (worker.done) {
    calls->push_back([done = std::move(worker.done), error] { done(tl::make_unexpected(error)); });
  }
  if (worker.sent) {
    calls->push_back([sent = std::move(worker.sent)] { sent(false); });
  }
  // Its number cannot belong to another process: nobody else waits for it.
  ::kill(worker.pid, SIGKILL);
  leaving_.push_back({worker.pid, worker.task.place, Clock::now()});
  workers_.erase(id);
}

void Crew::Deliver(WorkerId id, UniqueFd client, const std::string& reply,
                   std::function<void(bool)> done) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.phase != Phase::kHolding) {
    return done(false);
  }
  Worker& worker = found->second;
  worker.phase = Phase::kDelivering;
  worker.sent = std::move(done);
  worker.task.until = Clock::now() + patience_;
  const std::string packet = static_cast<char>(Verb::kDeliver) + reply;
  Calls calls;
  if (SendBundle(worker.socket.native_handle(), packet.data(), packet.size(),
                 IoFd(std::move(client)), WaitMode::kDontWait)
          .status != BundleStatus::kOk) {
    Dismiss(id, {}, &calls);
  }
  Settle(calls);
}

void Crew::Drop(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.phase != Phase::kHolding) {
    return;
  }
  Worker& worker = found->second;
  worker.phase = Phase::kClosing;
  worker.task.until = Clock::now() + patience_;
  const char verb = static_cast<char>(Verb::kDrop);
  Calls calls;
  if (SendBundle(worker.socket.native_handle(), &verb, 1, WaitMode::kDontWait).status !=
      BundleStatus::kOk) {
    Dismiss(id, {}, &calls);
  }
  Settle(calls);
}

void Crew::Reap() {
  std::erase_if(leaving_, [](const Leaving& one) {
    const pid_t gone = ::waitpid(one.pid, nullptr, WNOHANG);
    return gone == one.pid || (gone < 0 && errno == ECHILD);
  });
}

void Crew::EndOverdue(Calls* calls) {
  const Clock::time_point now = Clock::now();
  std::vector<WorkerId> overdue;
  for (const auto& [id, worker] : workers_) {
    if (worker.phase != Phase::kIdle && worker.phase != Phase::kHolding &&
        worker.task.until <= now) {
      overdue.push_back(id);
    }
  }
  for (const WorkerId id : overdue) {
    Dismiss(id, TooLate(workers_.at(id).task, patience_), calls);
  }
}

// Jobs that waited too long, or for a file system that is given up.
void Crew::EndHopeless(Calls* calls) {
  const Clock::time_point now = Clock::now();
  for (auto one = waiting_.begin(); one != waiting_.end();) {
    const std::size_t stuck = StuckAt(one->task.place);
    const bool late = one->task.until <= now;
    if (!late && stuck < limits::kMaxWorkersPerFileSystem) {
      ++one;
      continue;
    }
    calls->push_back([done = std::move(one->done),
                      error = late ? TooLate(one->task, patience_) : GivenUp(one->task, stuck)] {
      done(tl::make_unexpected(error));
    });
    one = waiting_.erase(one);
  }
}

void Crew::Tick() {
  Calls calls;
  Reap();
  EndOverdue(&calls);
  EndHopeless(&calls);
  Pump(&calls);
  Settle(calls);
}

void Crew::ArmTimer() {
  Clock::time_point next = Clock::time_point::max();
  for (const auto& [id, worker] : workers_) {
    if (worker.phase != Phase::kIdle && worker.phase != Phase::kHolding) {
      next = std::min(next, worker.task.until);
    }
  }
  for (const Waiting& one : waiting_) {
    next = std::min(next, one.task.until);
  }
  if (!leaving_.empty()) {
    next = std::min(next, Clock::now() + kReapInterval);
  }
  if (next == Clock::time_point::max()) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(next);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) {
      self->Tick();
    }
  });
}

void Crew::Settle(const Calls& calls) {
  ArmTimer();
  for (const auto& call : calls) {
    call();
  }
}

}  // namespace openhook::worker
