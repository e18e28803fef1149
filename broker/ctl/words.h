// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The stable words that openhookctl prints for the enumerations of control.proto, and the form of
// its times and counts. Tables and JSON use the same words; docs/cli.md lists them.

#ifndef BROKER_CTL_WORDS_H_
#define BROKER_CTL_WORDS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/control.pb.h"

namespace openhook::ctl {

// "read", "read-write", "create"; "unknown" for a value that a newer broker may send.
std::string_view AccessWord(proto::GrantAccess access);
// "file", "block", "char", "fifo", "directory", "absent"; "unknown" as above.
std::string_view KindWord(proto::FileKind kind);

// "commit", "stream", ...; "unknown" as above.
std::string_view JobKindWord(proto::JobKind kind);
// JOB_KIND_UNSPECIFIED for a word that is none of these.
proto::JobKind ParseJobKind(std::string_view word);
// All of them, for a help text.
std::string JobKindWords();
// "running", "completed", "pivoted", "aborted"; "unknown" as above.
std::string_view JobStateWord(proto::JobState state);
// "none", "alive", "gone"; "unknown" as above.
std::string_view JobOwnerStateWord(proto::JobOwnerState state);

// "1 grant", "2 grants".
std::string Count(std::uint64_t number, std::string_view thing);

// UTC, as in 2026-01-31T12:00:00Z.
std::string TimeFromSeconds(std::int64_t unix_seconds);
// UTC with milliseconds, as in 2026-01-31T12:00:00.250Z.
std::string TimeFromNanoseconds(std::int64_t unix_nanoseconds);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_WORDS_H_
