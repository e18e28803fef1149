// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From the flags of open(2) to what the program intends. The broker composes flags of its own from
// the intent, so every bit is on a list here: understood, meaningless for a passed descriptor, or
// handed on as "other", which the broker refuses with a reason. No bit is dropped in silence.

#ifndef QEMU_SHIM_CLIENT_INTENT_H_
#define QEMU_SHIM_CLIENT_INTENT_H_

#include <cstdint>
#include <string_view>

namespace openhook::client {

enum class IntendedAccess : std::uint8_t { kNone, kRead, kWrite, kReadWrite };

struct OpenIntent {
  IntendedAccess access = IntendedAccess::kNone;
  bool direct = false;
  bool sync = false;
  bool data_sync = false;
  bool append = false;
  bool truncate = false;
  bool create = false;
  bool exclusive = false;
  bool nonblock = false;
  bool no_follow = false;
  bool close_on_exec = false;  // stays here: it is a property of the descriptor, not of the file
  std::uint32_t other_flags = 0;
};

OpenIntent IntentOf(int flags);

// True when open(2) has a third argument with these flags; it must not be read otherwise.
bool TakesMode(int flags);

// "reading", "writing", "reading and writing".
std::string_view Describe(IntendedAccess access);

// Flags of fopen(3)'s mode, or -1 for a mode that only libc understands (",ccs=...", nonsense).
int FlagsOfStreamMode(std::string_view mode);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_INTENT_H_
