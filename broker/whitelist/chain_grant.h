// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Grants that are the backing chain of a disk: recorded as such, and compared with what was known
// before, since a chain is read from headers that a VM may have written.

#ifndef BROKER_WHITELIST_CHAIN_GRANT_H_
#define BROKER_WHITELIST_CHAIN_GRANT_H_

#include <string>
#include <vector>

#include "broker/whitelist/drift.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

// The images of a chain from its grants, which come by depth, a data file or extent behind its
// image.
std::vector<ChainImage> ImagesOf(const std::vector<Grant>& grants);

enum class WhenDrifted : std::uint8_t { kAskPolicy, kAccept };

struct WantedChain {
  std::string disk;
  std::string lease;
  bool writable = false;
  WhenDrifted when_drifted = WhenDrifted::kAskPolicy;
};

// As Whitelist::PlanGrants(), and the record of the disk says this chain afterwards; the disk's
// lease gives nothing any more of images that the record had and the chain has not. Another active
// image than the recorded one is the word of whoever grants it, and no drift. Errors: kPermission
// for drift (drift.h), kConflict when the disk belongs to another lease.
Result<Change> PlanChainGrant(const Whitelist& whitelist, const WantedChain& wanted,
                              std::vector<Grant> grants, const DriftRules& rules);

// Two disks of one lease may stand on the same image.
bool AnotherChainHas(const Whitelist& whitelist, const ChainRecord& chain,
                     const CanonicalPath& path);

// Takes from the disk's lease what `old` had and `next` has not.
void TakeBackLeaving(const Whitelist& whitelist, const ChainRecord& old, const ChainRecord& next,
                     Change* change);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_CHAIN_GRANT_H_
