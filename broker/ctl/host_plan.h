// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A definition's plan on this host: which files there are, what they really are, what their images'
// headers add, and what is forbidden. With this program's own rights.

#ifndef BROKER_CTL_HOST_PLAN_H_
#define BROKER_CTL_HOST_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/file_identity.h"
#include "broker/domain/forbidden.h"
#include "broker/domain/plan.h"

namespace openhook::ctl {

struct PlannedGrant {
  std::string path;       // canonical; of a file that is not there, as far as that can be known
  std::string requested;  // as QEMU will spell it
  domain::Access access = domain::Access::kRead;
  domain::Kind kind = domain::Kind::kFile;  // what is there, else what the definition says
  std::string source;
  std::uint32_t depth = 0;
  std::string format;
  std::string role;  // image, backing, data-file, extent; empty where it is no part of a chain
  std::string disk;
  bool shareable = false;
  bool exists = false;
  std::optional<FileIdentity> identity;  // of what exists
};

struct HostPlan {
  std::string uuid;
  std::string name;
  std::vector<PlannedGrant> grants;
  std::vector<domain::NetworkTarget> network;
  // Forbidden, or not to be resolved: the machine asks for it, and would not get it.
  std::vector<domain::Refusal> refused;
  std::vector<std::string> warnings;
};

HostPlan PlanOnHost(const domain::Plan& plan, const domain::ForbiddenPaths& forbidden);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_HOST_PLAN_H_
