// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What becomes of the commands that were passed on: QEMU's answers and events end jobs. They never
// begin one, and nothing that they say becomes a name: a QEMU that lies ends its own access early,
// or keeps what the manager gave it. Pure.

#ifndef BROKER_RELAY_TRACKER_H_
#define BROKER_RELAY_TRACKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "broker/relay/planner.h"
#include "broker/relay/state.h"

namespace openhook::relay {

// A connection to QEMU, as a bit of Tracked::seen.
enum class Source : std::uint8_t { kManager = 1, kWatch = 2 };

class Tracker {
 public:
  explicit Tracker(State* state) : state_(state) {}

  // The command is about to be passed on, and its jobs have begun.
  void Forwarded(const Plan& plan);
  // QEMU has answered it.
  enum class Answer : std::uint8_t { kDone, kError };
  void Answered(Answer answer);

  void OnEvent(Source source, const Json& message);
  // The status of a migration, as an event or an answer to our own question tells it.
  void OnMigration(const std::string& status);

  // A connection has begun: the jobs that run are known to it.
  void SourceBegan(Source source);

  // QEMU's jobs by id, as it lists them now. What is no longer among them has ended; how, is for
  // `resolve` to say.
  struct Listed {
    bool over = false;
    bool failed = false;
  };
  using Resolve = std::function<bool(const std::string& watched, Sign sign)>;
  void Reconcile(const std::map<std::string, Listed>& jobs, const Resolve& resolve);

  // The machine is gone, and its jobs with it.
  void QemuEnded();

  [[nodiscard]] bool WaitsForMigration() const;

 private:
  void OnJobStatus(Source source, const std::string& id, const std::string& status);
  // Ends those for which it holds.
  void EndTracked(const std::function<bool(const Tracked&)>& which, int outcome_of_success);
  static int OutcomeOf(const Tracked& job);

  State* state_;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_TRACKER_H_
