// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who the program will be, and becoming it for good.

#ifndef QEMU_SHIM_LAUNCHER_TARGET_USER_H_
#define QEMU_SHIM_LAUNCHER_TARGET_USER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "broker/base/result.h"

namespace openhook::launcher {

struct TargetUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> supplementary;
};

// `text` is USER[:GROUP], each a name or a number. Without GROUP the user's own one is taken; the
// supplementary groups are the user's in any case. Errors: kNotFound, kInvalidArgument.
Result<TargetUser> ResolveUser(const std::string& text);

// Sets groups, gid and uid, drops every capability, and proves that none of it can be undone.
Result<void> BecomeUser(const TargetUser& user);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_TARGET_USER_H_
