// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A machine's profile where libvirt has it: /etc/apparmor.d/libvirt/libvirt-UUID, made from
// TEMPLATE.qemu, and libvirt-UUID.files beside it with the rules. Each is replaced whole. After an
// error the files are as they were, and so is what the kernel enforces.

#ifndef BROKER_AA_HELPER_PROFILE_FILES_H_
#define BROKER_AA_HELPER_PROFILE_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/aa_helper/vm_rules.h"
#include "broker/base/result.h"

namespace openhook::aa_helper {

class ProfileFiles {
 public:
  ProfileFiles(std::string apparmor_dir, std::string_view uuid);

  [[nodiscard]] const std::string& profile() const { return profile_; }
  [[nodiscard]] std::string ProfilePath() const;
  [[nodiscard]] std::string RulesPath() const;
  // Of whoever changes one of the two.
  [[nodiscard]] std::string LockPath() const;
  // Is there a profile file that is more than an empty one, which a full disk leaves behind?
  [[nodiscard]] bool HasProfile() const;

  // Nothing: there is no such file.
  [[nodiscard]] Result<std::optional<std::string>> ReadRules() const;
  Result<void> WriteRules(std::string_view text) const;
  Result<void> RemoveRules() const;
  // As ReadRules() told before.
  Result<void> PutBack(const std::optional<std::string>& text) const;
  // From the template, with a line that includes the rules.
  Result<void> MakeProfile() const;

  // Compiles the profile as its files say, loads it, and asks the kernel about `rules`.
  [[nodiscard]] Result<void> Load(const VmRules& rules) const;
  // Removes it from the kernel. Errors: kConflict while a process is in it, which would be
  // unconfined from then on; kNotFound when none of this name is loaded.
  [[nodiscard]] Result<void> Unload() const;

 private:
  std::string directory_;
  std::string profile_;
};

// libvirt's template with a profile's name, and a line to include its rules before the end. Errors:
// kInvalidArgument for a template without the lines that are looked for.
Result<std::string> RenderTemplate(std::string_view text, const std::string& profile);

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_PROFILE_FILES_H_
