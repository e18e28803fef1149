// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/loader/kernel_policy.h"

#include <fcntl.h>
#include <sys/apparmor.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/text_file.h"
#include "policy/label/apparmor_query.h"

namespace openhook::loader {

namespace {

constexpr const char* kRevision = "/sys/kernel/security/apparmor/revision";
constexpr const char* kProfiles = "/sys/kernel/security/apparmor/policy/profiles";
constexpr std::size_t kMaxHashBytes = 1024;

Error NoAppArmor(int sys_errno) {
  return {ErrorCode::kUnavailable, sys_errno,
          "this kernel has no AppArmor in force (or securityfs is not mounted on "
          "/sys/kernel/security), so no profile can be loaded; boot with apparmor=1 "
          "security=apparmor, or start openhookd without --profile apparmor"};
}

using Interface = std::unique_ptr<aa_kernel_interface, decltype(&::aa_kernel_interface_unref)>;

Interface OpenInterface() {
  aa_kernel_interface* interface = nullptr;
  if (::aa_kernel_interface_new(&interface, nullptr, nullptr) != 0) {
    interface = nullptr;
  }
  return {interface, ::aa_kernel_interface_unref};
}

label::FileUses UsesOf(apparmor::RuleAccess access) {
  using label::FileUse;
  return access == apparmor::RuleAccess::kRead
             ? label::FileUses{FileUse::kRead, FileUse::kLock}
             : label::FileUses{FileUse::kRead, FileUse::kWrite, FileUse::kLock};
}

// The directory of a loaded profile is its name and a number of the kernel's.
Result<std::string> DirectoryOf(const std::string& profile) {
  const auto names = fs::ListDirectory(kProfiles);
  if (!names) {
    return tl::make_unexpected(names.error().sys_errno == ENOENT ? NoAppArmor(ENOENT)
                                                                 : names.error());
  }
  for (const std::string& name : *names) {
    if (name.starts_with(profile + ".")) {
      return std::string(kProfiles) + "/" + name;
    }
  }
  return std::string();
}

}  // namespace

KernelPolicy::KernelPolicy() : revision_(::open(kRevision, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}

Result<void> KernelPolicy::Load(const std::string& compiled) {
  const Interface interface = OpenInterface();
  if (!interface) {
    return tl::make_unexpected(NoAppArmor(errno));
  }
  if (::aa_kernel_interface_replace_policy(interface.get(), compiled.data(), compiled.size()) !=
      0) {
    return FailErrno(errno, "the kernel does not take the compiled AppArmor profile");
  }
  return {};
}

Result<void> KernelPolicy::Verify(const std::string& profile, const apparmor::Rules& rules) const {
  for (const auto& [path, access] : rules) {
    const label::FileUses wanted = UsesOf(access);
    const auto allowed = label::AllowedByAppArmor(profile, path.str(), wanted);
    if (!allowed) {
      return tl::make_unexpected(allowed.error());
    }
    if (*allowed != wanted) {
      return Fail(ErrorCode::kConflict,
                  "the loaded profile " + profile + " does not give " +
                      wanted.Without(*allowed).Text() + " of " + Quote(path.str()) +
                      "; is there a deny rule for it in the template or in what that includes?");
    }
  }
  return {};
}

Result<std::optional<std::string>> KernelPolicy::HashOf(const std::string& profile) const {
  const auto directory = DirectoryOf(profile);
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  if (directory->empty()) {
    return std::optional<std::string>();
  }
  for (const char* file : {"/sha256", "/sha1"}) {
    if (auto hash = fs::ReadTextFile(*directory + file, kMaxHashBytes)) {
      return std::optional(std::move(*hash));
    }
  }
  return Fail(ErrorCode::kUnsupported, "this kernel keeps no hashes of AppArmor profiles");
}

std::uint64_t KernelPolicy::ReadRevision() const {
  std::array<char, 32> text{};
  if (!revision_.IsValid() || ::read(revision_.Get(), text.data(), text.size() - 1) <= 0) {
    return 0;
  }
  return std::strtoull(text.data(), nullptr, 10);
}

}  // namespace openhook::loader
