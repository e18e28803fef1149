// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/audit/audit_log.h"

#include <gtest/gtest.h>

#include "broker/base/limits.h"

namespace openhook::audit {
namespace {

class CountingSink : public Sink {
 public:
  struct Seen {
    std::vector<Event> events;
    std::uint64_t missed = 0;
  };
  explicit CountingSink(Seen* seen) : seen_(seen) {}
  void Write(const Event& event, std::uint64_t missed) override {
    seen_->events.push_back(event);
    seen_->missed += missed;
  }

 private:
  Seen* seen_;
};

AuditLog LogInto(CountingSink::Seen* seen) {
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(std::make_unique<CountingSink>(seen));
  return AuditLog(std::move(sinks));
}

Event About(std::string path, Outcome outcome) {
  Event event;
  event.path = std::move(path);
  event.outcome = outcome;
  return event;
}

TEST(AuditLog, NumbersEventsAndKeepsTheNewest) {
  AuditLog log({});
  for (std::size_t i = 0; i < limits::kAuditRingEvents + 10; ++i) {
    log.Record(About("/" + std::to_string(i), Outcome::kAllow));
  }
  const auto last = log.Last(limits::kAuditRingEvents * 2);
  ASSERT_EQ(last.size(), limits::kAuditRingEvents);
  EXPECT_EQ(last.front().seq, 11U);
  EXPECT_EQ(last.back().path, "/" + std::to_string(limits::kAuditRingEvents + 9));
  EXPECT_EQ(log.counters().allowed, limits::kAuditRingEvents + 10);
}

TEST(AuditLog, OrdinaryOpensStayInMemoryAndDenialsReachTheSinks) {
  CountingSink::Seen seen;
  AuditLog log = LogInto(&seen);
  log.Record(About("/a", Outcome::kAllow));
  log.Record(About("/b", Outcome::kDeny));
  log.Record(About("/c", Outcome::kFail));
  ASSERT_EQ(seen.events.size(), 2U);
  EXPECT_EQ(seen.events[0].path, "/b");
}

TEST(AuditLog, AMillionEqualDenialsAreOneEventWithACount) {
  CountingSink::Seen seen;
  AuditLog log = LogInto(&seen);
  for (int i = 0; i <= 1'000'000; ++i) {
    log.Record(About("/same", Outcome::kDeny));
  }
  ASSERT_EQ(log.Last(10).size(), 1U);
  EXPECT_EQ(log.Last(1)[0].repeated, 1'000'000U);
  EXPECT_EQ(log.counters().denied, 1'000'001U);
  EXPECT_LE(seen.events.size(), 21U);
}

TEST(AuditLog, AFloodOfDifferentDenialsCannotFillTheDisk) {
  CountingSink::Seen seen;
  AuditLog log = LogInto(&seen);
  constexpr std::size_t kFlood = 20'000;
  for (std::size_t i = 0; i < kFlood; ++i) {
    log.Record(About("/" + std::to_string(i), Outcome::kDeny));
  }
  EXPECT_GE(seen.events.size(), AuditLog::kSinkBurst);
  EXPECT_LT(seen.events.size(), kFlood / 2);
  EXPECT_EQ(log.Last(1)[0].path, "/" + std::to_string(kFlood - 1)) << "memory has the newest";
}

TEST(AuditLog, TellsWatchersUntilTheyLeave) {
  AuditLog log({});
  std::vector<std::string> seen;
  const auto id = log.Watch([&](const Event& event) { seen.push_back(event.path); });
  log.Record(About("/a", Outcome::kAllow));
  log.Unwatch(id);
  log.Record(About("/b", Outcome::kAllow));
  EXPECT_EQ(seen, std::vector<std::string>{"/a"});
}

TEST(AuditLog, FindsWhatConcernsAQuestion) {
  AuditLog log({});
  for (const char* path : {"/a", "/b", "/a", "/c"}) {
    log.Record(About(path, Outcome::kAllow));
  }
  const auto about = log.About([](const Event& event) { return event.path == "/a"; }, 10);
  ASSERT_EQ(about.size(), 2U);
  EXPECT_LT(about[0].seq, about[1].seq);
}

TEST(PendingEvent, ThatNobodyCompletesIsAFailure) {
  AuditLog log({});
  {
    const PendingEvent event(&log, About("/a", Outcome::kAllow));
  }
  ASSERT_EQ(log.Last(1).size(), 1U);
  EXPECT_EQ(log.Last(1)[0].outcome, Outcome::kFail);
  {
    PendingEvent event(&log, About("/b", Outcome::kFail));
    event.Allowed("done");
  }
  EXPECT_EQ(log.Last(1)[0].outcome, Outcome::kAllow);
  EXPECT_EQ(log.Last(9).size(), 2U);
}

}  // namespace
}  // namespace openhook::audit
