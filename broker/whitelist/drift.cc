// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/drift.h"

#include <algorithm>
#include <array>
#include <set>

#include "broker/base/system_paths.h"
#include "broker/base/text.h"

namespace openhook::whitelist {

namespace {

constexpr std::array<std::string_view, 3> kPolicyWords = {"pool", "strict", "trust"};

std::string Name(const std::optional<CanonicalPath>& path) {
  return path ? Quote(path->str()) : "the end of the chain";
}

tl::unexpected<Error> Refuse(const ChainRecord& record, const Drift& drift,
                             const std::string& why) {
  return Fail(ErrorCode::kPermission,
              "the headers of the disk " + Quote(record.disk) + " lead to " + Name(drift.seen) +
                  " where " + Name(drift.recorded) + " was known, and no job explains it; " + why +
                  ". If it was changed on purpose: openhookctl chain accept " + Quote(record.disk));
}

std::optional<Drift> CompareParts(std::size_t depth, const ChainImage& recorded,
                                  const ChainImage& seen) {
  const std::size_t parts = std::max(recorded.parts.size(), seen.parts.size());
  const auto part = [](const ChainImage& image, std::size_t i) {
    return i < image.parts.size() ? std::optional(image.parts[i]) : std::nullopt;
  };
  for (std::size_t i = 0; i < parts; ++i) {
    if (part(recorded, i) != part(seen, i)) {
      return Drift{depth, part(recorded, i), part(seen, i)};
    }
  }
  return std::nullopt;
}

bool IsRecordedPart(const ChainRecord& record, const CanonicalPath& file) {
  const auto& parts = record.images.front().parts;
  return std::find(parts.begin(), parts.end(), file) != parts.end();
}

}  // namespace

std::set<CanonicalPath> KnownDirectories(const Whitelist& whitelist) {
  std::set<CanonicalPath> directories;
  for (const auto& [disk, chain] : whitelist.chains()) {
    for (const CanonicalPath& file : chain.Files()) {
      directories.insert(file.Parent());
    }
  }
  return directories;
}

bool IsInPool(const CanonicalPath& file, const std::set<CanonicalPath>& known,
              const std::vector<CanonicalPath>& pools) {
  const CanonicalPath beside = file.Parent();
  return (known.contains(beside) && !IsBeneath(beside.str(), "/dev")) ||
         std::any_of(pools.begin(), pools.end(),
                     [&](const CanonicalPath& pool) { return pool.Contains(file); });
}

std::string_view ToString(DriftPolicy policy) {
  return kPolicyWords.at(static_cast<std::size_t>(policy));
}

std::optional<DriftPolicy> ParseDriftPolicy(std::string_view word) {
  const auto* found = std::find(kPolicyWords.begin(), kPolicyWords.end(), word);
  return found == kPolicyWords.end()
             ? std::nullopt
             : std::optional(static_cast<DriftPolicy>(found - kPolicyWords.begin()));
}

std::optional<Drift> FindDrift(const ChainRecord& record, const std::vector<ChainImage>& seen) {
  const auto path = [](const std::vector<ChainImage>& images, std::size_t i) {
    return i < images.size() ? std::optional(images[i].path) : std::nullopt;
  };
  for (std::size_t i = 0; i < std::max(record.images.size(), seen.size()); ++i) {
    if (path(record.images, i) != path(seen, i)) {
      return Drift{i, path(record.images, i), path(seen, i)};
    }
    if (auto parts = CompareParts(i, record.images[i], seen[i])) {
      return parts;
    }
  }
  return std::nullopt;
}

std::optional<CanonicalPath> NewlyWritten(const Whitelist& whitelist,
                                          const std::vector<ChainImage>& seen) {
  const auto is_new = [&](const CanonicalPath& part) {
    const Entry* entry = whitelist.Find(part.str()).entry;
    return entry == nullptr || !entry->writable;
  };
  if (seen.empty()) {
    return std::nullopt;
  }
  const auto& parts = seen.front().parts;
  const auto found = std::find_if(parts.begin(), parts.end(), is_new);
  return found == parts.end() ? std::nullopt : std::optional(*found);
}

Result<void> MayFollow(const Whitelist& whitelist, const ChainRecord& record,
                       const std::vector<ChainImage>& seen, const DriftRules& rules) {
  const auto drift = FindDrift(record, seen);
  if (!drift || rules.policy == DriftPolicy::kTrust) {
    return {};
  }
  if (rules.policy == DriftPolicy::kStrict) {
    return Refuse(record, *drift, "the policy is drift = \"strict\"");
  }
  const auto written = record.writable ? NewlyWritten(whitelist, seen) : std::nullopt;
  if (written && !IsRecordedPart(record, *written)) {
    return Refuse(record, *drift,
                  "the VM would write to " + Quote(written->str()) +
                      ", and may not do so because of a header");
  }
  const std::set<CanonicalPath> recorded = record.Files();
  const std::set<CanonicalPath> known = KnownDirectories(whitelist);
  for (const CanonicalPath& file : ChainRecord::FilesOf(seen)) {
    if (!recorded.contains(file) && !IsInPool(file, known, rules.pools)) {
      return Refuse(record, *drift,
                    Quote(file.str()) +
                        " lies neither beside a file of this VM's disks nor in a "
                        "configured pool");
    }
  }
  return {};
}

}  // namespace openhook::whitelist
