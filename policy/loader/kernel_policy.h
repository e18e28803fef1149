// SPDX-License-Identifier: LGPL-2.1-or-later
//
// AppArmor in the kernel, as far as a loader needs it: load one profile, ask what is loaded, notice
// that somebody loaded something. Cannot remove a profile: a VM that runs in one would be
// unconfined at once, and for good.

#ifndef POLICY_LOADER_KERNEL_POLICY_H_
#define POLICY_LOADER_KERNEL_POLICY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::loader {

class KernelPolicy {
 public:
  // A kernel without AppArmor in force is an error of each call, so that whoever asks is told.
  KernelPolicy();

  // Loads what apparmor_parser compiled; a profile of the same name is replaced, in one step for
  // the processes in it. Errors: kUnavailable; kPermission without CAP_MAC_ADMIN.
  Result<void> Load(const std::string& compiled);

  // Does the loaded profile allow all of this? Errors: kConflict naming the first path that it does
  // not give.
  [[nodiscard]] Result<void> Verify(const std::string& profile, const apparmor::Rules& rules) const;

  // The kernel's hash of a loaded profile; nothing when none of this name is loaded. Errors:
  // kUnsupported when this kernel keeps no hashes.
  [[nodiscard]] Result<std::optional<std::string>> HashOf(const std::string& profile) const;

  // Becomes readable when any profile is loaded or removed. Invalid without AppArmor.
  [[nodiscard]] const UniqueFd& revision_file() const { return revision_; }
  // Reads it, which makes it unreadable until the next change. 0: cannot be told.
  [[nodiscard]] std::uint64_t ReadRevision() const;

 private:
  UniqueFd revision_;
};

}  // namespace openhook::loader

#endif  // POLICY_LOADER_KERNEL_POLICY_H_
