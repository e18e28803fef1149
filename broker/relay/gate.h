// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where a manager's commands wait until the broker has given what they need, and where answers and
// events of QEMU are turned into ends of jobs. Every step is remembered before others can see it.

#ifndef BROKER_RELAY_GATE_H_
#define BROKER_RELAY_GATE_H_

#include <map>
#include <string>

#include "broker/relay/broker_link.h"
#include "broker/relay/json.h"
#include "broker/relay/memory.h"
#include "broker/relay/state.h"
#include "broker/relay/tracker.h"

namespace openhook::relay {

class Gate {
 public:
  Gate(State state, Memory* memory, BrokerLink* link)
      : state_(std::move(state)), tracker_(&state_), memory_(memory), link_(link) {}

  // Jobs of ours that the broker has and nobody knows of: they were begun by a relay that was
  // killed before it passed the command on. They end.
  void EndOrphans();

  // May QEMU see the command? If so and it is followed, Answered() has to come.
  struct Admission {
    std::string refusal;    // not empty: no
    bool followed = false;  // its answer matters
  };
  Admission Admit(const Json& command);
  void Answered(Tracker::Answer answer);

  void OnEvent(Source source, const Json& message);
  void OnMigration(const std::string& status);
  // Which connection's events count. A manager's do, from when it has negotiated: the same events
  // come on both, and an old one of the slower connection could be taken for news of a new job. The
  // handover is done with the next Reconcile(); until then no command is passed.
  void ManagerBegan();
  void ManagerNegotiated() { handover_ = Handover::kWanted; }
  void ManagerEnded();
  // True once for each handover: it is time to ask QEMU for its jobs.
  bool TakeHandover();

  void Reconcile(const std::map<std::string, Tracker::Listed>& jobs);
  void QemuEnded();

  // Tells the broker what it is owed. A broker that is not there is told later.
  void PayDebts(Wait wait);
  [[nodiscard]] bool Owes() const { return !state_.OwesNothing(); }
  [[nodiscard]] bool HasUnanswered() const { return !state_.pending.empty(); }
  [[nodiscard]] bool IsSettled() const {
    return state_.pending.empty() && (handover_ == Handover::kNone || handover_ == Handover::kDone);
  }
  [[nodiscard]] bool WaitsForMigration() const { return tracker_.WaitsForMigration(); }

 private:
  Admission Prepare(const std::string& name, const Json& arguments, Concern concern);
  Result<void> BeginAll(const Plan& plan);
  Result<void> Remember();
  void Settle();
  bool EndOne(const JobEnd& end, Wait wait);

  enum class Handover : std::uint8_t { kNone, kWanted, kAsked, kDone };

  State state_;
  Handover handover_ = Handover::kNone;
  Tracker tracker_;
  Memory* memory_;
  BrokerLink* link_;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_GATE_H_
