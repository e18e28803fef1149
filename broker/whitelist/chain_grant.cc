// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/chain_grant.h"

#include <algorithm>
#include <set>

#include "broker/base/text.h"

namespace openhook::whitelist {

namespace {

bool IsPart(const Grant& grant) { return grant.role == "data-file" || grant.role == "extent"; }

Result<void> MayReplace(const Whitelist& whitelist, const ChainRecord& old,
                        const WantedChain& wanted, const ChainRecord& next,
                        const DriftRules& rules) {
  if (old.lease != wanted.lease) {
    return Fail(ErrorCode::kConflict, "the disk " + Quote(wanted.disk) + " belongs to the lease " +
                                          Quote(old.lease) +
                                          "; revoke that first, or name another disk");
  }
  // The active image is named by whoever grants it; what stands behind it, by headers.
  const bool another_image =
      old.images.empty() || next.images.empty() || old.images[0].path != next.images[0].path;
  return wanted.when_drifted == WhenDrifted::kAccept || another_image
             ? Result<void>()
             : MayFollow(whitelist, old, next.images, rules);
}

}  // namespace

std::vector<ChainImage> ImagesOf(const std::vector<Grant>& grants) {
  std::vector<ChainImage> images;
  for (const Grant& grant : grants) {
    if (IsPart(grant) && !images.empty()) {
      images.back().parts.push_back(grant.path);
    } else {
      images.push_back({grant.path, grant.format, {}});
    }
  }
  return images;
}

Result<Change> PlanChainGrant(const Whitelist& whitelist, const WantedChain& wanted,
                              std::vector<Grant> grants, const DriftRules& rules) {
  if (auto named = CheckDiskName(wanted.disk); !named) {
    return tl::make_unexpected(named.error());
  }
  if (IsJobLease(wanted.lease)) {
    return Fail(ErrorCode::kInvalidArgument, "a disk belongs to a lease that lasts, and " +
                                                 Quote(wanted.lease) +
                                                 " is for a job; name another lease");
  }
  const ChainRecord next{wanted.disk, wanted.lease, wanted.writable, ImagesOf(grants)};
  const auto old = whitelist.chains().find(wanted.disk);
  if (old != whitelist.chains().end()) {
    if (auto may = MayReplace(whitelist, old->second, wanted, next, rules); !may) {
      return tl::make_unexpected(may.error());
    }
  }
  auto change = whitelist.PlanGrants(std::move(grants));
  if (!change) {
    return change;
  }
  if (old != whitelist.chains().end()) {
    TakeBackLeaving(whitelist, old->second, next, &*change);
  }
  change->chains.push_back(next);
  return change;
}

bool AnotherChainHas(const Whitelist& whitelist, const ChainRecord& chain,
                     const CanonicalPath& path) {
  return std::any_of(whitelist.chains().begin(), whitelist.chains().end(), [&](const auto& it) {
    return it.first != chain.disk && it.second.lease == chain.lease &&
           it.second.Files().contains(path);
  });
}

void TakeBackLeaving(const Whitelist& whitelist, const ChainRecord& old, const ChainRecord& next,
                     Change* change) {
  const std::set<CanonicalPath> kept = next.Files();
  for (const CanonicalPath& path : old.Files()) {
    const Grant* grant = whitelist.FindLive(old.lease, path);
    if (!kept.contains(path) && grant != nullptr && !AnotherChainHas(whitelist, old, path)) {
      change->removed.push_back(grant->id);
    }
  }
}

}  // namespace openhook::whitelist
