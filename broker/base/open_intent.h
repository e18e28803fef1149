// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a program wants of an open(2), without the flags: the broker composes those itself, so no
// bit of a client ever reaches the kernel (threat model D10). Mirrors proto OpenRequest.

#ifndef BROKER_BASE_OPEN_INTENT_H_
#define BROKER_BASE_OPEN_INTENT_H_

#include <cstdint>
#include <string_view>

namespace openhook {

enum class Access : std::uint8_t { kRead, kWrite, kReadWrite };

constexpr std::string_view ToString(Access access) {
  switch (access) {
    case Access::kRead:
      return "read";
    case Access::kWrite:
      return "write";
    case Access::kReadWrite:
      return "read-write";
  }
  return "unknown";
}

struct OpenIntent {
  Access access = Access::kRead;
  bool direct = false;
  bool sync = false;
  bool data_sync = false;
  bool append = false;
  bool truncate = false;
  bool create = false;
  bool exclusive = false;
  bool nonblock = false;
  bool no_follow = false;
  std::uint32_t mode = 0;         // for create, after the client's umask
  std::uint32_t other_flags = 0;  // open(2) bits without a meaning here; anything but 0 is denied
  std::uint64_t token = 0;        // for create: equal when a request is a repetition
};

}  // namespace openhook

#endif  // BROKER_BASE_OPEN_INTENT_H_
