// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the whitelist that plans what an administrator takes away.

#include <algorithm>
#include <set>

#include "broker/base/text.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

// What a job gives goes with the job: ending the lease alone would leave one that cannot be done.
Result<void> Whitelist::CheckLeaseMayEnd(std::string_view lease) const {
  for (const auto& [id, job] : jobs_) {
    if (job.state == JobState::kRunning && LeaseOf(id) == lease) {
      return Fail(ErrorCode::kInvalidArgument, "the lease " + Quote(lease) +
                                                   " belongs to a job that runs; end the job: " +
                                                   "openhookctl job end " + id + " --aborted");
    }
  }
  return {};
}

// A chain record ends with the last grant of its lease.
std::vector<std::string> Whitelist::ChainsWithoutGrants(const std::set<GrantId>& removed) const {
  std::vector<std::string> disks;
  for (const auto& [disk, chain] : chains_) {
    const auto grants = by_lease_.find(chain.lease);
    const bool lives =
        grants != by_lease_.end() && std::any_of(grants->second.begin(), grants->second.end(),
                                                 [&](GrantId id) { return !removed.contains(id); });
    if (!lives) {
      disks.push_back(disk);
    }
  }
  return disks;
}

Result<Change> Whitelist::PlanRevoke(std::string_view lease,
                                     const std::vector<std::string>& paths) const {
  if (lease.empty() && paths.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "name a lease, or paths, or both");
  }
  if (auto may_end = CheckLeaseMayEnd(lease); !may_end && paths.empty()) {
    return tl::make_unexpected(may_end.error());
  }
  Change change;
  change.generation = generation_ + 1;
  std::set<CanonicalPath> wanted;
  for (const std::string& path : paths) {
    const Found found = Find(path);
    if (found.entry == nullptr) {
      return Fail(ErrorCode::kNotFound, "nothing is granted under the name " + Quote(path));
    }
    if (found.entry->ended) {
      return Fail(ErrorCode::kNotFound, "the lease that gave " + Quote(path) +
                                            " has ended; it is readable only until the VM closes "
                                            "it");
    }
    wanted.insert(found.entry->path);
  }
  const auto owns = [&](const std::string& owner) { return lease.empty() || owner == lease; };
  if (paths.empty()) {
    const std::vector<GrantId> all = GrantsOfLease(lease);
    change.removed.assign(all.begin(), all.end());
  }
  for (const CanonicalPath& path : wanted) {
    for (const Grant* grant : GrantsOf(path)) {
      if (grant->ended_unix == 0 && owns(grant->lease)) {
        change.removed.push_back(grant->id);
      }
    }
  }
  for (const auto& [path, file] : created_) {
    const bool named = paths.empty() || wanted.contains(path) || wanted.contains(path.Parent());
    if (named && owns(file.lease)) {
      change.forgotten.push_back(path);
    }
  }
  if (change.removed.empty() && change.forgotten.empty()) {
    return Fail(ErrorCode::kNotFound, "the lease " + Quote(lease) + " gives nothing of that");
  }
  change.forgotten_chains = ChainsWithoutGrants({change.removed.begin(), change.removed.end()});
  return change;
}

}  // namespace openhook::whitelist
