// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The AppArmor profile of one VM: rendered, compiled, written down, loaded and verified, in this
// order. What was in force stays in force until the new one is, and after each failure. The file is
// for administrators and for libvirt, which loads it again at its own moments; nothing of ours
// reads it, so a crash between file and kernel is put right by the next list of rules, which a
// broker sends whole when it starts.

#ifndef POLICY_LOADER_VM_PROFILE_H_
#define POLICY_LOADER_VM_PROFILE_H_

#include <optional>
#include <string>

#include "broker/base/result.h"
#include "policy/loader/kernel_policy.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::loader {

struct ProfilePlace {
  apparmor::VmNames vm;
  std::string apparmor_dir = "/etc/apparmor.d";

  [[nodiscard]] std::string Template() const { return apparmor_dir + "/openhook/TEMPLATE.qemu"; }
  [[nodiscard]] std::string File() const {
    return apparmor_dir + "/libvirt/" + apparmor::ProfileName(vm.uuid);
  }
};

class VmProfile {
 public:
  VmProfile(ProfilePlace place, KernelPolicy* kernel) : place_(std::move(place)), kernel_(kernel) {}

  // The kernel gives what the template gives and these, and nothing else; or an error, and what it
  // gave before.
  Result<void> Set(const apparmor::Rules& rules);

  // To be called when the kernel's revision has changed.
  enum class Finding : std::uint8_t {
    kOurs,      // what is loaded is what we loaded, or we have loaded nothing
    kReplaced,  // another program had replaced it; ours is in force again
    kRemoved,   // another program had removed it; ours is loaded again, but see the report
  };
  // Errors: another program's profile is in force, and ours cannot be loaded.
  Result<Finding> PutRight();

 private:
  struct Loaded {
    apparmor::Rules rules;
    std::string text;
    std::string compiled;
    std::optional<std::string> hash;  // nothing: this kernel keeps none
  };
  Result<Loaded> Make(const apparmor::Rules& rules) const;
  Result<void> Enforce(Loaded* wanted);
  void PutBack();

  ProfilePlace place_;
  KernelPolicy* kernel_;
  std::optional<Loaded> loaded_;
};

}  // namespace openhook::loader

#endif  // POLICY_LOADER_VM_PROFILE_H_
