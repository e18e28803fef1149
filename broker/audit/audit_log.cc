// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/audit/audit_log.h"

#include <algorithm>
#include <bit>
#include <ctime>

#include "broker/base/limits.h"

namespace openhook::audit {

namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::int64_t NowNanos() {
  timespec now{};
  (void)::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

// Ordinary opens are the VM's business as usual; they stay in the ring.
bool ConcernsSinks(const Event& event) {
  return event.outcome != Outcome::kAllow || IsChange(event.operation);
}

}  // namespace

AuditLog::AuditLog(std::vector<std::unique_ptr<Sink>> sinks) : sinks_(std::move(sinks)) {}

bool AuditLog::FoldIntoLast(const Event& event) {
  if (event.outcome == Outcome::kAllow || ring_.empty() || !SameQuestion(ring_.back(), event)) {
    return false;
  }
  ++ring_.back().repeated;
  return true;
}

bool AuditLog::TakeSinkToken(std::int64_t now_ns) {
  const double elapsed =
      static_cast<double>(std::max<std::int64_t>(0, now_ns - sink_refilled_ns_)) / kNanosPerSecond;
  sink_refilled_ns_ = now_ns;
  sink_tokens_ = std::min<double>(kSinkBurst, sink_tokens_ + elapsed * kSinkEventsPerSecond);
  if (sink_tokens_ < 1) {
    return false;
  }
  sink_tokens_ -= 1;
  return true;
}

void AuditLog::PassToSinks(const Event& event) {
  if (!TakeSinkToken(event.time_ns)) {
    ++sink_missed_;
    return;
  }
  for (const auto& sink : sinks_) {
    sink->Write(event, sink_missed_);
  }
  sink_missed_ = 0;
}

void AuditLog::Record(Event event) {
  counters_.allowed += event.outcome == Outcome::kAllow ? 1 : 0;
  counters_.denied += event.outcome == Outcome::kDeny ? 1 : 0;
  counters_.failed += event.outcome == Outcome::kFail ? 1 : 0;
  event.time_ns = NowNanos();
  if (FoldIntoLast(event)) {
    ring_.back().time_ns = event.time_ns;
    // Powers of two: a run of a million is written twenty times.
    if (!std::has_single_bit(ring_.back().repeated)) {
      return;
    }
  } else {
    event.seq = next_seq_++;
    if (ring_.size() == limits::kAuditRingEvents) {
      ring_.pop_front();
    }
    ring_.push_back(std::move(event));
  }
  if (ConcernsSinks(ring_.back())) {
    PassToSinks(ring_.back());
  }
  for (const auto& [id, watcher] : watchers_) {
    watcher(ring_.back());
  }
}

std::vector<Event> AuditLog::Last(std::size_t count) const {
  const std::size_t kept = std::min(count, ring_.size());
  return {ring_.end() - static_cast<std::ptrdiff_t>(kept), ring_.end()};
}

std::vector<Event> AuditLog::About(const std::function<bool(const Event&)>& concerns,
                                   std::size_t count) const {
  std::vector<Event> found;
  for (auto event = ring_.rbegin(); event != ring_.rend() && found.size() < count; ++event) {
    if (concerns(*event)) {
      found.push_back(*event);
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

AuditLog::WatcherId AuditLog::Watch(std::function<void(const Event&)> watcher) {
  watchers_.emplace(next_watcher_, std::move(watcher));
  return next_watcher_++;
}

void AuditLog::Unwatch(WatcherId id) { watchers_.erase(id); }

PendingEvent::~PendingEvent() {
  if (log_ != nullptr) {
    Failed("it was not completed");
  }
}

void PendingEvent::Allowed(std::string reason) {
  event_.outcome = Outcome::kAllow;
  event_.reason = std::move(reason);
  log_->Record(std::move(event_));
  log_ = nullptr;
}

void PendingEvent::Failed(std::string reason) {
  event_.outcome = Outcome::kFail;
  event_.reason = std::move(reason);
  log_->Record(std::move(event_));
  log_ = nullptr;
}

}  // namespace openhook::audit
