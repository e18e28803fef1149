// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the headers of a disk say now, against what its chain record says. A VM can write its own
// image's header, so a pointer that no job explains is a request of whoever wrote it: followed only
// where the administrator's policy says that it may be.

#ifndef BROKER_WHITELIST_DRIFT_H_
#define BROKER_WHITELIST_DRIFT_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

enum class DriftPolicy : std::uint8_t {
  kPool,    // a new member has to lie beside a known one, or in a configured pool
  kStrict,  // nothing new is followed
  kTrust,   // headers are believed
};
std::string_view ToString(DriftPolicy policy);
std::optional<DriftPolicy> ParseDriftPolicy(std::string_view word);

struct DriftRules {
  DriftPolicy policy = DriftPolicy::kPool;
  std::vector<CanonicalPath> pools;  // directories; what lies below them may join a chain
};

// Where two chains part; an absent path stands for the end of the chain.
struct Drift {
  std::size_t depth = 0;
  std::optional<CanonicalPath> recorded;
  std::optional<CanonicalPath> seen;
};

// Absent: the same images and parts in the same order.
std::optional<Drift> FindDrift(const ChainRecord& record, const std::vector<ChainImage>& seen);

// Directories that hold a member of this VM's disks.
std::set<CanonicalPath> KnownDirectories(const Whitelist& whitelist);

// A directory of device nodes is none: what lies there has nothing in common.
bool IsInPool(const CanonicalPath& file, const std::set<CanonicalPath>& known,
              const std::vector<CanonicalPath>& pools);

// A file that only headers would let the VM write to: what belongs to the active image (a data
// file, an extent), where it may not write to it yet.
std::optional<CanonicalPath> NewlyWritten(const Whitelist& whitelist,
                                          const std::vector<ChainImage>& seen);

// May the record follow the headers? Errors: kPermission with a sentence that names old, new and
// the command that accepts it.
Result<void> MayFollow(const Whitelist& whitelist, const ChainRecord& record,
                       const std::vector<ChainImage>& seen, const DriftRules& rules);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_DRIFT_H_
