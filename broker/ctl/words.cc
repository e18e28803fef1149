// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "broker/base/text.h"

namespace openhook::ctl {

namespace {

// In the order of proto::JobKind.
constexpr std::array<std::string_view, 11> kJobKinds = {
    "commit", "stream", "mirror", "backup",     "snapshot",    "reopen",
    "change", "attach", "save",   "migrate-in", "migrate-out",
};

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosecondsPerMillisecond = 1'000'000;

// Without a zone: the callers add what comes between the seconds and the "Z".
std::string DateAndTime(std::int64_t unix_seconds) {
  const std::time_t seconds = unix_seconds;
  std::tm utc{};
  if (::gmtime_r(&seconds, &utc) == nullptr) {
    return fmt::format("@{}", unix_seconds);
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string_view AccessWord(proto::GrantAccess access) {
  switch (access) {
    case proto::GRANT_ACCESS_READ:
      return "read";
    case proto::GRANT_ACCESS_READ_WRITE:
      return "read-write";
    case proto::GRANT_ACCESS_CREATE:
      return "create";
    default:
      return "unknown";
  }
}

std::string_view KindWord(proto::FileKind kind) {
  switch (kind) {
    case proto::FILE_KIND_REGULAR:
      return "file";
    case proto::FILE_KIND_BLOCK:
      return "block";
    case proto::FILE_KIND_CHARACTER:
      return "char";
    case proto::FILE_KIND_FIFO:
      return "fifo";
    case proto::FILE_KIND_DIRECTORY:
      return "directory";
    case proto::FILE_KIND_ABSENT:
      return "absent";
    default:
      return "unknown";
  }
}

std::string_view JobKindWord(proto::JobKind kind) {
  const auto index = static_cast<std::size_t>(kind) - 1;  // 0 is "not said"
  return index < kJobKinds.size() ? kJobKinds[index] : "unknown";
}

proto::JobKind ParseJobKind(std::string_view word) {
  const auto* found = std::find(kJobKinds.begin(), kJobKinds.end(), word);
  return found == kJobKinds.end() ? proto::JOB_KIND_UNSPECIFIED
                                  : static_cast<proto::JobKind>(found - kJobKinds.begin() + 1);
}

std::string JobKindWords() { return fmt::format("{}", fmt::join(kJobKinds, ", ")); }

std::string_view JobStateWord(proto::JobState state) {
  switch (state) {
    case proto::JOB_STATE_RUNNING:
      return "running";
    case proto::JOB_STATE_COMPLETED:
      return "completed";
    case proto::JOB_STATE_PIVOTED:
      return "pivoted";
    case proto::JOB_STATE_ABORTED:
      return "aborted";
    default:
      return "unknown";
  }
}

std::string_view JobOwnerStateWord(proto::JobOwnerState state) {
  switch (state) {
    case proto::JOB_OWNER_STATE_NONE:
      return "none";
    case proto::JOB_OWNER_STATE_ALIVE:
      return "alive";
    case proto::JOB_OWNER_STATE_GONE:
      return "gone";
    default:
      return "unknown";
  }
}

std::string Count(std::uint64_t number, std::string_view thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

std::string TimeFromSeconds(std::int64_t unix_seconds) { return DateAndTime(unix_seconds) + "Z"; }

std::string TimeFromNanoseconds(std::int64_t unix_nanoseconds) {
  std::int64_t seconds = unix_nanoseconds / kNanosecondsPerSecond;
  std::int64_t rest = unix_nanoseconds % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  }
  return fmt::format("{}.{:03}Z", DateAndTime(seconds), rest / kNanosecondsPerMillisecond);
}

}  // namespace openhook::ctl
