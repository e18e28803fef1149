// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/reconcile.h"

#include <algorithm>
#include <string_view>

namespace openhook::ctl {

namespace {

using Grants = google::protobuf::RepeatedPtrField<proto::GrantInfo>;

constexpr std::string_view kDomain = "domain";
constexpr std::string_view kDevice = "device:";
constexpr std::string_view kLibvirt = "libvirt:";
// What libvirt's running jobs write to, beside what their disks have.
constexpr std::string_view kLibvirtWriting = "libvirt:writing";

bool IsDefinitions(std::string_view lease) {
  return lease == kDomain || lease.starts_with(kDevice) || lease.starts_with(kLibvirt);
}

bool IsLive(const proto::GrantInfo& grant) { return grant.ended_unix() == 0 && !grant.stale(); }

bool IsBusy(std::string_view lease, const std::set<std::string>& busy) {
  return lease.starts_with(kDevice) && busy.contains(std::string(lease.substr(kDevice.size())));
}

bool Covers(proto::GrantAccess given, proto::GrantAccess wanted) {
  return given == wanted ||
         (given == proto::GRANT_ACCESS_READ_WRITE && wanted == proto::GRANT_ACCESS_READ);
}

// By whichever of the definition's leases: libvirt may have announced a disk before the definition
// had it.
bool IsGiven(const proto::GrantSpec& spec, const Grants& given) {
  return std::any_of(given.begin(), given.end(), [&](const proto::GrantInfo& grant) {
    return IsLive(grant) && IsDefinitions(grant.lease()) && grant.path() == spec.path() &&
           Covers(grant.access(), spec.access());
  });
}

// The lease itself gives more than it should by now.
bool IsTooWide(const std::string& lease, const proto::GrantSpec& spec, const Grants& given) {
  return std::any_of(given.begin(), given.end(), [&](const proto::GrantInfo& grant) {
    return IsLive(grant) && grant.lease() == lease && grant.path() == spec.path() &&
           grant.access() != spec.access() && Covers(grant.access(), spec.access());
  });
}

bool AddMissing(const proto::GrantRequest& request, const Grants& given, Difference* difference) {
  const std::size_t before = difference->missing.size();
  for (const proto::GrantSpec& spec : request.grants()) {
    if (!IsGiven(spec, given) || IsTooWide(request.lease(), spec, given)) {
      difference->missing.push_back({request.lease(), spec.path(), spec.access()});
    }
  }
  return difference->missing.size() != before;
}

std::set<std::string> WantedPaths(const PlanGrants& wanted) {
  std::set<std::string> paths;
  for (const proto::GrantRequest& request : wanted.requests) {
    for (const proto::GrantSpec& spec : request.grants()) {
      paths.insert(spec.path());
    }
  }
  return paths;
}

void AddSurplus(const PlanGrants& wanted, const Grants& given, const std::set<std::string>& busy,
                Difference* difference) {
  const std::set<std::string> paths = WantedPaths(wanted);
  for (const proto::GrantInfo& grant : given) {
    const bool ours = IsLive(grant) && IsDefinitions(grant.lease()) &&
                      grant.lease() != kLibvirtWriting && !IsBusy(grant.lease(), busy);
    if (ours && !paths.contains(grant.path())) {
      difference->surplus.push_back(
          {{grant.lease(), grant.path(), grant.access()},
           grant.lease().starts_with(kLibvirt) ? Surplus::kUnlessHeld : Surplus::kAlways});
    }
  }
}

}  // namespace

Difference Compare(const PlanGrants& wanted, const Grants& given,
                   const std::set<std::string>& busy) {
  Difference difference;
  difference.busy.assign(busy.begin(), busy.end());
  for (const proto::GrantRequest& request : wanted.requests) {
    if (!IsBusy(request.lease(), busy) && AddMissing(request, given, &difference)) {
      difference.requests.push_back(request);
    }
  }
  AddSurplus(wanted, given, busy, &difference);
  return difference;
}

}  // namespace openhook::ctl
