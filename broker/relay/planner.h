// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a manager's command needs of the broker before QEMU may see it, and what has changed when
// QEMU has done it. Pure: a command, what is known, a plan. Only the manager's words and the
// broker's are taken as input.

#ifndef BROKER_RELAY_PLANNER_H_
#define BROKER_RELAY_PLANNER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "broker/relay/json.h"
#include "broker/relay/state.h"
#include "proto/control.pb.h"

namespace openhook::relay {

// A chain record of the broker.
struct DiskChain {
  std::string disk;
  std::string lease;
  bool writable = false;
  std::vector<std::string> images;  // the active one first
};

struct Plan {
  std::string refusal;  // not empty: QEMU is not to see the command, and this is why
  std::vector<proto::JobBeginRequest> begins;
  std::vector<Tracked> tracked;
  Effects effects;                     // of success
  std::vector<std::string> completes;  // jobs of QEMU that the manager completes with it
  // What tells whether QEMU did it, when its answer was lost.
  std::string watched;
  Sign sign = Sign::kNone;
};

enum class Concern : std::uint8_t {
  kNone,    // opens no file that anybody could name here: passed on
  kNoting,  // changes what is known, and needs nothing of the broker
  kAsking,  // may need something
};
Concern ConcernOf(const std::string& command, const Json& arguments, const State& state);

// `next_job`: number for the next job, counted up.
Plan PlanCommand(const std::string& command, const Json& arguments, const State& state,
                 const std::vector<DiskChain>& chains, std::uint64_t* next_job);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_PLANNER_H_
