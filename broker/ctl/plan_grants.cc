// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/plan_grants.h"

#include <algorithm>
#include <map>
#include <optional>

#include "broker/base/system_paths.h"
#include "broker/base/text.h"

namespace openhook::ctl {

namespace {

using domain::Access;
using domain::Kind;

std::optional<std::string> ReasonToLeaveOut(const PlannedGrant& grant) {
  if (grant.kind == Kind::kSocket) {
    return "is a socket, which QEMU connects to or makes by itself";
  }
  if (grant.access == Access::kList) {
    return "is to be listed, which the broker does not serve";
  }
  // A broker's own, shorter list (broker/worker/pin_job.cc) knows no reading.
  if (IsBeneath(grant.path, "/boot") || IsBeneath(grant.path, "/etc")) {
    return "lies where a broker gives nothing; copy it to a directory of the machine's own";
  }
  if (!grant.exists && (grant.access != Access::kCreate || grant.kind == Kind::kDirectory)) {
    return "is not on this host";
  }
  return std::nullopt;
}

proto::GrantAccess AccessOf(Access access) {
  switch (access) {
    case Access::kCreate:
      return proto::GRANT_ACCESS_CREATE;
    case Access::kReadWrite:
      return proto::GRANT_ACCESS_READ_WRITE;
    case Access::kRead:
    case Access::kList:
      break;
  }
  return proto::GRANT_ACCESS_READ;
}

void SetSpec(const PlannedGrant& grant, proto::GrantSpec* spec) {
  spec->set_path(grant.path);
  if (grant.requested != grant.path) {
    spec->add_aliases(grant.requested);
  }
  spec->set_access(AccessOf(grant.access));
  spec->set_source(grant.source);
  spec->set_format(grant.format);
  spec->set_role(grant.role);
  spec->set_depth(grant.depth);
  spec->set_shareable(grant.shareable);
  if (grant.identity) {
    spec->set_expected_dev(grant.identity->dev);
    spec->set_expected_ino(grant.identity->ino);
  }
}

// A lease has one grant for each file: the strongest access counts, and all names.
void AddTo(proto::GrantRequest* request, const PlannedGrant& grant) {
  for (proto::GrantSpec& spec : *request->mutable_grants()) {
    if (spec.path() == grant.path) {
      spec.set_access(std::max(spec.access(), AccessOf(grant.access)));
      if (grant.requested != grant.path) {
        spec.add_aliases(grant.requested);
      }
      return;
    }
  }
  SetSpec(grant, request->add_grants());
}

// A disk whose own image is not there has no chain to be recorded.
bool HasImage(const HostPlan& plan, const std::string& disk) {
  return std::any_of(plan.grants.begin(), plan.grants.end(), [&](const PlannedGrant& grant) {
    return grant.disk == disk && grant.depth == 0 && grant.role == "image" && grant.exists;
  });
}

}  // namespace

PlanGrants GrantsOfPlan(const HostPlan& plan) {
  PlanGrants result;
  proto::GrantRequest rest;
  rest.set_lease("domain");
  std::map<std::string, proto::GrantRequest> disks;
  for (const PlannedGrant& grant : plan.grants) {
    if (const auto reason = ReasonToLeaveOut(grant)) {
      result.left_out.push_back(grant.source + ": " + Quote(grant.requested) + " " + *reason);
      continue;
    }
    if (grant.disk.empty() || !HasImage(plan, grant.disk)) {
      AddTo(&rest, grant);
      continue;
    }
    proto::GrantRequest& request = disks[grant.disk];
    request.set_lease("device:" + grant.disk);
    request.set_disk(grant.disk);
    const bool writes = grant.depth == 0 && grant.access != Access::kRead;
    request.set_disk_writable(request.disk_writable() || writes);
    AddTo(&request, grant);
  }
  if (!rest.grants().empty()) {
    result.requests.push_back(std::move(rest));
  }
  for (auto& [disk, request] : disks) {
    result.requests.push_back(std::move(request));
  }
  return result;
}

}  // namespace openhook::ctl
