// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/job.h"

#include <algorithm>
#include <array>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::whitelist {

namespace {

constexpr std::string_view kLeasePrefix = "job:";

// In the order of JobKind.
constexpr std::array<std::string_view, 11> kKindWords = {
    "commit", "stream", "mirror", "backup",     "snapshot",    "reopen",
    "change", "attach", "save",   "migrate-in", "migrate-out",
};

constexpr std::array<std::string_view, 4> kStateWords = {"running", "completed", "pivoted",
                                                         "aborted"};

bool IsIdByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string_view ToString(JobKind kind) { return kKindWords.at(static_cast<std::size_t>(kind)); }

std::string_view ToString(JobState state) {
  return kStateWords.at(static_cast<std::size_t>(state));
}

std::optional<JobKind> ParseJobKind(std::string_view word) {
  const auto* found = std::find(kKindWords.begin(), kKindWords.end(), word);
  return found == kKindWords.end()
             ? std::nullopt
             : std::optional(static_cast<JobKind>(found - kKindWords.begin()));
}

std::string LeaseOf(const std::string& job_id) { return std::string(kLeasePrefix) + job_id; }

bool IsJobLease(std::string_view lease) { return lease.starts_with(kLeasePrefix); }

Result<void> CheckJobId(const std::string& id) {
  const bool short_enough = id.size() + kLeasePrefix.size() <= limits::kMaxLeaseNameBytes;
  if (id.empty() || !short_enough || !std::all_of(id.begin(), id.end(), IsIdByte)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the job id " + Quote(id, limits::kMaxLeaseNameBytes) +
                    " must have 1 to 124 letters, digits, dots, underscores or hyphens, like "
                    "commit-1");
  }
  return {};
}

}  // namespace openhook::whitelist
