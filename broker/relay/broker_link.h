// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The relay's side of control.sock: jobs begin and end through it. A broker that restarts is waited
// for where a command depends on it. Everything said here may be said twice.

#ifndef BROKER_RELAY_BROKER_LINK_H_
#define BROKER_RELAY_BROKER_LINK_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/client/control_client.h"
#include "broker/relay/planner.h"
#include "broker/relay/state.h"

namespace openhook::relay {

enum class Wait : std::uint8_t { kNot, kPatiently };

class BrokerLink {
 public:
  // `keeper`: the process that answers for the jobs.
  BrokerLink(std::string socket, pid_t keeper, std::chrono::milliseconds patience)
      : socket_(std::move(socket)), keeper_(keeper), patience_(patience) {}

  // Errors: the broker's refusal, in its own words; or that it cannot be reached.
  Result<std::vector<DiskChain>> Chains();
  Result<void> Begin(proto::JobBeginRequest job);
  Result<void> End(const JobEnd& end, Wait wait);
  Result<void> Revoke(const std::string& lease, Wait wait);

  // Does what the VM has open say that it was done? Not so when the broker cannot tell.
  bool Tells(const std::string& file, Sign sign);

  struct Jobs {
    std::uint64_t next = 1;            // number for the next job of ours
    std::vector<std::string> running;  // those that this relay's keeper answers for
  };
  Result<Jobs> ListJobs(Wait wait);

  // The last call failed for want of an answer: the same may be tried again.
  [[nodiscard]] bool IsDown() const { return !client_; }

 private:
  Result<proto::ControlReply> Call(const proto::ControlRequest& request, Wait wait);
  Result<proto::ControlReply> CallOnce(const proto::ControlRequest& request);

  std::string socket_;
  pid_t keeper_;
  std::chrono::milliseconds patience_;
  std::optional<client::ControlClient> client_;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_BROKER_LINK_H_
