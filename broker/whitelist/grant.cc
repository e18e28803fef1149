// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/grant.h"

#include <algorithm>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::whitelist {

std::string_view ToString(GrantAccess access) {
  switch (access) {
    case GrantAccess::kRead:
      return "read";
    case GrantAccess::kReadWrite:
      return "read-write";
    case GrantAccess::kCreate:
      return "create";
  }
  return "unknown";
}

Result<void> CheckLeaseName(std::string_view lease) {
  const bool printable =
      std::all_of(lease.begin(), lease.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (lease.empty() || lease.size() > limits::kMaxLeaseNameBytes || !printable) {
    return Fail(ErrorCode::kInvalidArgument,
                "the lease name " + Quote(lease, limits::kMaxLeaseNameBytes) +
                    " must have 1 to 128 printable characters without spaces, like admin:alice");
  }
  return {};
}

}  // namespace openhook::whitelist
