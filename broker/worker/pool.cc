// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/pool.h"

#include <utility>

#include "broker/worker/crew.h"

namespace openhook::worker {

HeldFile& HeldFile::operator=(HeldFile&& other) noexcept {
  std::swap(crew_, other.crew_);
  std::swap(worker_, other.worker_);
  return *this;
}

HeldFile::~HeldFile() {
  if (const auto crew = crew_.lock()) {
    crew->Drop(worker_);
  }
}

void HeldFile::Deliver(UniqueFd client, const std::string& reply, std::function<void(bool)> done) {
  const auto crew = std::exchange(crew_, {}).lock();
  if (!crew) {
    return done(false);
  }
  crew->Deliver(worker_, std::move(client), reply, std::move(done));
}

Pool::Pool(boost::asio::io_context& loop, Program program, std::chrono::seconds patience)
    : loop_(loop),
      patience_(patience),
      crew_(std::make_shared<Crew>(loop, std::move(program), patience)) {}

Pool::~Pool() = default;

void Pool::Submit(Task task, Done done) { crew_->Submit(std::move(task), std::move(done)); }

Clock::time_point Pool::Deadline() const { return Clock::now() + patience_; }

Counts Pool::counts() const { return crew_->counts(); }

void Pool::RunUntil(const std::function<bool()>& finished) {
  while (!finished()) {
    // It stops whenever it runs out of work.
    loop_.restart();
    loop_.run_one_for(std::chrono::milliseconds(100));
  }
}

}  // namespace openhook::worker
