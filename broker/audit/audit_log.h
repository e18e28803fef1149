// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where events go: always into a ring in memory (for `openhookctl explain` and `watch`) and to live
// watchers; denials, failures and changes also to the sinks (journal, JSON lines).
//
// A compromised QEMU can ask as often as it likes, so nothing here may grow with its requests: the
// ring is fixed, a run of equal denials is folded into one event, and sinks take at most
// kSinkEventsPerSecond; what they missed is counted and said in the next event they get.

#ifndef BROKER_AUDIT_AUDIT_LOG_H_
#define BROKER_AUDIT_AUDIT_LOG_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "broker/audit/event.h"

namespace openhook::audit {

class Sink {
 public:
  virtual ~Sink() = default;
  // `missed` events were not given to any sink since the last call.
  virtual void Write(const Event& event, std::uint64_t missed) = 0;
};

class AuditLog {
 public:
  static constexpr std::uint32_t kSinkEventsPerSecond = 50;
  static constexpr std::uint32_t kSinkBurst = 500;

  explicit AuditLog(std::vector<std::unique_ptr<Sink>> sinks);

  // Gives the event its number and its time, keeps it and passes it on.
  void Record(Event event);

  // The newest `count` events, oldest first.
  [[nodiscard]] std::vector<Event> Last(std::size_t count) const;
  [[nodiscard]] std::vector<Event> About(const std::function<bool(const Event&)>& concerns,
                                         std::size_t count) const;

  // Watchers are told of each new event, folded ones included. A watcher must not record.
  using WatcherId = std::uint64_t;
  WatcherId Watch(std::function<void(const Event&)> watcher);
  void Unwatch(WatcherId id);

  struct Counters {
    std::uint64_t allowed = 0;
    std::uint64_t denied = 0;
    std::uint64_t failed = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  [[nodiscard]] bool FoldIntoLast(const Event& event);
  [[nodiscard]] bool TakeSinkToken(std::int64_t now_ns);
  void PassToSinks(const Event& event);

  std::vector<std::unique_ptr<Sink>> sinks_;
  std::deque<Event> ring_;
  std::map<WatcherId, std::function<void(const Event&)>> watchers_;
  WatcherId next_watcher_ = 1;
  std::uint64_t next_seq_ = 1;
  Counters counters_;
  double sink_tokens_ = kSinkBurst;
  std::int64_t sink_refilled_ns_ = 0;
  std::uint64_t sink_missed_ = 0;
};

// One event that is certain to be recorded: as a failure, unless it was completed. For changes of
// the whitelist, which leave by many ways.
class PendingEvent {
 public:
  PendingEvent(AuditLog* log, Event event) : log_(log), event_(std::move(event)) {}
  ~PendingEvent();
  PendingEvent(const PendingEvent&) = delete;
  PendingEvent& operator=(const PendingEvent&) = delete;

  void Allowed(std::string reason);
  void Failed(std::string reason);

 private:
  AuditLog* log_;
  Event event_;
};

}  // namespace openhook::audit

#endif  // BROKER_AUDIT_AUDIT_LOG_H_
