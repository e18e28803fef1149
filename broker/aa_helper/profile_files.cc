// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/profile_files.h"

#include <sys/apparmor.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "broker/aa_helper/holds.h"
#include "broker/base/canonical_path.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/text_file.h"
#include "policy/loader/compiler.h"
#include "policy/loader/kernel_policy.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::aa_helper {

namespace {

constexpr mode_t kReadableByAll = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
constexpr std::size_t kMaxRulesBytes = std::size_t{16} << 20;
constexpr std::string_view kNameLine = "\nprofile LIBVIRT_TEMPLATE";
constexpr std::string_view kPlaceholder = "LIBVIRT_TEMPLATE";
constexpr std::string_view kLastLine = "\n}";

// What the kernel can be asked about: literal names, in the two forms that images have.
apparmor::Rules Images(const VmRules& rules) {
  apparmor::Rules images;
  const auto add = [&](const Rule& rule) {
    auto path = CanonicalPath::Parse(rule.path);
    if (rule.IsPattern() || !path || (rule.perms != "rk" && rule.perms != "rwk")) {
      return;
    }
    const bool writes = rule.perms == "rwk";
    auto& access = images.emplace(*path, apparmor::RuleAccess::kRead).first->second;
    access = writes ? apparmor::RuleAccess::kReadWrite : access;
  };
  for (const Rule& rule : rules.definition) {
    add(rule);
  }
  for (const Appended& one : rules.appended) {
    add(one.rule);
  }
  return images;
}

}  // namespace

ProfileFiles::ProfileFiles(std::string apparmor_dir, std::string_view uuid)
    : directory_(std::move(apparmor_dir)), profile_(apparmor::ProfileName(uuid)) {}

std::string ProfileFiles::ProfilePath() const { return directory_ + "/libvirt/" + profile_; }
std::string ProfileFiles::RulesPath() const { return ProfilePath() + ".files"; }
std::string ProfileFiles::LockPath() const {
  return directory_ + "/libvirt/." + profile_ + ".lock";
}

bool ProfileFiles::HasProfile() const {
  const auto text = fs::ReadTextFile(ProfilePath(), kMaxRulesBytes);
  return text ? !text->empty() : text.error().code != ErrorCode::kNotFound;
}

Result<std::optional<std::string>> ProfileFiles::ReadRules() const {
  auto text = fs::ReadTextFile(RulesPath(), kMaxRulesBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return std::nullopt;
  }
  return text.map([](std::string rules) { return std::optional(std::move(rules)); });
}

Result<void> ProfileFiles::WriteRules(std::string_view text) const {
  return fs::ReplaceTextFile(RulesPath(), text, kReadableByAll);
}

Result<void> ProfileFiles::RemoveRules() const { return fs::RemoveFile(RulesPath()); }

Result<void> ProfileFiles::PutBack(const std::optional<std::string>& text) const {
  return text ? WriteRules(*text) : RemoveRules();
}

Result<void> ProfileFiles::MakeProfile() const {
  return fs::ReadTextFile(directory_ + "/libvirt/TEMPLATE.qemu", limits::kMaxTemplateBytes)
      .and_then([this](const std::string& text) { return RenderTemplate(text, profile_); })
      .and_then([this](const std::string& text) {
        return fs::ReplaceTextFile(ProfilePath(), text, kReadableByAll);
      });
}

Result<void> ProfileFiles::Load(const VmRules& rules) const {
  const apparmor::Rules images = Images(rules);
  if (auto fits = apparmor::CheckFits(images); !fits) {
    return fits;
  }
  const auto text = fs::ReadTextFile(ProfilePath(), kMaxRulesBytes);
  const auto compiled = text.and_then(
      [this](const std::string& profile) { return loader::Compile(profile, directory_); });
  if (!compiled) {
    return tl::make_unexpected(compiled.error());
  }
  loader::KernelPolicy kernel;
  if (auto loaded = kernel.Load(*compiled); !loaded) {
    return loaded;
  }
  // An administrator's own profile may do without our rules.
  const bool included = text->find(profile_ + ".files") != std::string::npos;
  return included ? kernel.Verify(profile_, images) : Result<void>();
}

Result<void> ProfileFiles::Unload() const {
  const auto processes = ProcessesIn(profile_);
  if (!processes) {
    return tl::make_unexpected(processes.error());
  }
  if (!processes->empty()) {
    return Fail(ErrorCode::kConflict, "the process " + std::to_string(*processes->begin()) +
                                          " is in the profile " + profile_ +
                                          ", and would be unconfined without it; end it first");
  }
  aa_kernel_interface* interface = nullptr;
  if (::aa_kernel_interface_new(&interface, nullptr, nullptr) != 0) {
    return FailErrno(errno, "this kernel has no AppArmor in force");
  }
  const int removed = ::aa_kernel_interface_remove_policy(interface, profile_.c_str());
  const int sys_errno = errno;
  ::aa_kernel_interface_unref(interface);
  if (removed != 0) {
    return FailErrno(sys_errno, "the kernel does not remove the profile " + profile_);
  }
  return {};
}

Result<std::string> RenderTemplate(std::string_view text, const std::string& profile) {
  const std::size_t name = text.find(kNameLine);
  const std::size_t last = text.rfind(kLastLine);
  if (name == std::string_view::npos || last == std::string_view::npos || last < name) {
    return Fail(ErrorCode::kInvalidArgument, "the template of the AppArmor profile has no line " +
                                                 Quote(kNameLine.substr(1)) +
                                                 ", or none that closes it");
  }
  std::string rendered(text.substr(0, name + kNameLine.size() - kPlaceholder.size()));
  rendered += profile;
  const std::size_t rest = name + kNameLine.size();
  rendered += text.substr(rest, last - rest);
  rendered += "\n  #include <libvirt/" + profile + ".files>";
  rendered += text.substr(last);
  return rendered;
}

}  // namespace openhook::aa_helper
