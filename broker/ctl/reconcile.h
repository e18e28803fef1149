// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a machine's live definition asks for, beside what its whitelist gives: what has to be added,
// and what has outlived the element that asked for it. Pure.
//
// The definition's leases are "domain", "device:DISK" and "libvirt:N" (what libvirt announced).
// What others own, jobs and administrators, is never touched; nor is a disk while a job of it runs,
// whose end says what it consists of.

#ifndef BROKER_CTL_RECONCILE_H_
#define BROKER_CTL_RECONCILE_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "broker/ctl/plan_grants.h"
#include "proto/control.pb.h"

namespace openhook::ctl {

// A file in a lease.
struct LeasedFile {
  std::string lease;
  std::string path;
  proto::GrantAccess access = proto::GRANT_ACCESS_READ;
};

enum class Surplus : std::uint8_t {
  kAlways,      // ends at once; what the VM holds stays readable until it is closed
  kUnlessHeld,  // libvirt announced it, perhaps for a job that no definition shows
};

struct SurplusFile {
  LeasedFile file;
  Surplus when = Surplus::kAlways;
};

struct Difference {
  std::vector<LeasedFile> missing;  // or with another access
  std::vector<SurplusFile> surplus;
  std::vector<std::string> busy;              // disks that are left alone
  std::vector<proto::GrantRequest> requests;  // that make up for what is missing
  [[nodiscard]] bool IsNone() const { return missing.empty() && surplus.empty(); }
};

// `busy`: disks of running jobs.
Difference Compare(const PlanGrants& wanted,
                   const google::protobuf::RepeatedPtrField<proto::GrantInfo>& given,
                   const std::set<std::string>& busy);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_RECONCILE_H_
