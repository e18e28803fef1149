// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The same rules as grants of a broker, where one runs for the machine: those of the definition are
// its lease "domain", each appended file is a lease of its own. What is granted is in force in the
// kernel when the broker has answered, if it keeps the profile.

#ifndef BROKER_AA_HELPER_BROKER_LEASES_H_
#define BROKER_AA_HELPER_BROKER_LEASES_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/aa_helper/vm_rules.h"
#include "broker/base/result.h"
#include "broker/client/control_client.h"
#include "broker/ctl/host_plan.h"
#include "proto/control.pb.h"

namespace openhook::aa_helper {

// Whole leases by name.
using Leases = std::map<std::string, std::vector<proto::GrantSpec>>;

inline constexpr char kDomainLease[] = "domain";

// The lease "domain": the strongest access for each path. What a broker does not give is left out:
// sockets, lists of directories, what is not there.
std::vector<proto::GrantSpec> DomainGrants(const ctl::HostPlan& plan);
// One lease for each appended rule about one file that is there. Patterns are for a profile alone.
Leases AppendedLeases(const std::vector<Appended>& appended);
std::string AppendedLeaseName(const std::string& path);

class BrokerLeases {
 public:
  // Nothing when there is no broker of this machine. Errors: there is one, and it does not answer.
  static Result<std::optional<BrokerLeases>> Connect(const std::string& run_dir,
                                                     const std::string& uuid);

  // Does it keep the machine's profile?
  [[nodiscard]] bool keeps_profile() const { return keeps_profile_; }

  // Gives what `wanted` has, then ends what our leases have beyond it. `domain`: absent, that lease
  // stays as it is. Errors: the broker's own words.
  Result<void> Set(const std::optional<std::vector<proto::GrantSpec>>& domain,
                   const Leases& appended);

 private:
  explicit BrokerLeases(client::ControlClient client) : client_(std::move(client)) {}
  Result<std::vector<proto::GrantInfo>> List();
  Result<void> Grant(const std::string& lease, const std::vector<proto::GrantSpec>& grants);
  Result<void> Revoke(const std::string& lease, const std::vector<std::string>& paths);

  client::ControlClient client_;
  bool keeps_profile_ = false;
};

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_BROKER_LEASES_H_
