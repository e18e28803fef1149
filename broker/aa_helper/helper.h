// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One call of libvirtd's: from its command line and the definition on standard input to the rules
// of a machine, in force in the kernel when it returns. Calls for one machine take turns.

#ifndef BROKER_AA_HELPER_HELPER_H_
#define BROKER_AA_HELPER_HELPER_H_

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "broker/aa_helper/broker_leases.h"
#include "broker/aa_helper/options.h"
#include "broker/aa_helper/profile_files.h"
#include "broker/aa_helper/vm_rules.h"
#include "broker/base/result.h"
#include "broker/ctl/host_plan.h"
#include "broker/domain/forbidden.h"

namespace openhook::aa_helper {

struct Places {
  std::string apparmor_dir = "/etc/apparmor.d";
  std::string run_dir = "/run/openhook";
  // Replaces the list of forbidden paths that is compiled in; need not be there.
  std::string forbidden = "/etc/openhook/forbidden-paths";
};

class Helper {
 public:
  // `told` takes what a dry run shows, and warnings.
  Helper(Options options, const Places& places, std::ostream& told);

  Result<void> Run();

 private:
  struct Machine {
    domain::Plan plan;
    ctl::HostPlan on_host;
  };
  struct Next {
    VmRules rules;
    bool of_definition = false;  // the definition's rules were made again
  };

  Result<void> Load();
  Result<void> Unload();
  Result<void> Change();
  Result<Machine> ReadDefinition();
  Result<void> CheckMachine(const domain::Plan& plan) const;
  Result<domain::ForbiddenPaths> Forbidden() const;
  Result<std::vector<Rule>> DefinitionRules(const Machine& machine) const;
  // Nothing for a name that is skipped, as libvirt's helper does.
  Result<std::optional<Rule>> ExtraRule(const Machine& machine);
  Result<Next> NextRules(Machine* machine, const std::optional<Rule>& extra) const;
  Result<void> Show(const Machine& machine, const std::optional<Rule>& extra);
  Result<void> Apply(const Machine& machine, const Next& next);
  Result<void> ApplyToFiles(const Next& next) const;
  void Warn(const std::string& sentence);

  Options options_;
  Places places_;
  ProfileFiles files_;
  std::ostream& told_;
};

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_HELPER_H_
