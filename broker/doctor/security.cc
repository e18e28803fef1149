// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/security.h"

#include <algorithm>
#include <optional>
#include <string>

#include "broker/base/text.h"
#include "broker/fs/file_facts.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"
#include "policy/label/detect.h"

namespace openhook::doctor {

namespace {

constexpr std::size_t kListBytes = std::size_t{4} << 20;
constexpr mode_t kOthersSearch = 0001;

// "enforce", "complain", ...; absent: not loaded.
std::optional<std::string> ModeOf(std::string_view profiles, std::string_view name) {
  const std::string begin = std::string(name) + " (";
  while (!profiles.empty()) {
    const std::string_view line = profiles.substr(0, profiles.find('\n'));
    if (line.starts_with(begin) && line.ends_with(')')) {
      return std::string(line.substr(begin.size(), line.size() - begin.size() - 1));
    }
    profiles.remove_prefix(std::min(line.size() + 1, profiles.size()));
  }
  return std::nullopt;
}

Finding CheckProfile(std::string_view profiles, const std::string& name) {
  const auto mode = ModeOf(profiles, name);
  if (!mode) {
    return {Level::kProblem, "AppArmor", "the profile " + name + " is not loaded",
            "apparmor_parser -r /etc/apparmor.d/" + name};
  }
  if (*mode != "enforce") {
    return {Level::kProblem, "AppArmor",
            "the profile " + name + " is in mode " + Quote(*mode) + ", which stops nothing",
            "aa-enforce " + name};
  }
  return {Level::kOk, "AppArmor", "the profile " + name + " is enforced", ""};
}

Finding CheckDirectory(const std::string& path, mode_t must_have) {
  const auto facts = fs::FactsOf(path);
  if (!facts) {
    return {Level::kNote, "directories", Quote(path) + " is not there yet; it is made when needed",
            ""};
  }
  if (facts->kind != FileKind::kDirectory || !facts->IsRootsAlone()) {
    return {Level::kProblem, "directories",
            Quote(path) + " can be written to by others than root, who could take a broker's place",
            "chown root:root " + path + "; chmod go-w " + path};
  }
  if ((facts->mode & must_have) != must_have) {
    return {Level::kProblem, "directories",
            Quote(path) + " cannot be searched by QEMU's user, which has to reach what is in it",
            "chmod a+x " + path};
  }
  return {Level::kOk, "directories", Quote(path) + " is root's alone to write to", ""};
}

}  // namespace

Findings CheckProfiles(std::string_view profiles) {
  Findings findings = {CheckProfile(profiles, "openhookd"),
                       CheckProfile(profiles, "openhook-loader")};
  if (!ModeOf(profiles, "libvirtd")) {
    findings.push_back({Level::kProblem, "AppArmor",
                        "the profile libvirtd is not loaded: libvirt does not use AppArmor then",
                        "apparmor_parser -r /etc/apparmor.d/usr.sbin.libvirtd; systemctl restart "
                        "libvirtd"});
  }
  return findings;
}

bool IsAppArmorInForce() {
  return label::ModuleInForce(label::ReadKernelFacts()) == label::Module::kAppArmor;
}

Findings CheckSecurityModule(const HostPaths& paths) {
  switch (label::ModuleInForce(label::ReadKernelFacts())) {
    case label::Module::kAppArmor: {
      const auto profiles = fs::ReadTextFile(paths.apparmor_profiles, kListBytes);
      if (!profiles) {
        return {{Level::kNote, "AppArmor",
                 "it is in force, and its profiles cannot be read: " + profiles.error().Message(),
                 ""}};
      }
      Findings findings = CheckProfiles(*profiles);
      Add(&findings, CheckAaHelper(paths));
      return findings;
    }
    case label::Module::kSelinux:
      return {{Level::kNote, "security module",
               "SELinux is in force: brokers check the labels of those who ask; its policy is not "
               "kept in step with the whitelist",
               ""}};
    case label::Module::kNone:
      break;
  }
  return {{Level::kNote, "security module",
           "none is in force: QEMU is confined by its user and Landlock", ""}};
}

Findings CheckAaHelper(const HostPaths& paths) {
  if (!fs::FactsOf(paths.aa_helper)) {
    return {};
  }
  const std::string target = fs::LinkTarget(paths.aa_helper).value_or("");
  if (target.ends_with("/openhook-aa-helper")) {
    return {{Level::kOk, "AppArmor", Quote(paths.aa_helper) + " is openhook-aa-helper", ""}};
  }
  return {{Level::kNote, "AppArmor",
           Quote(paths.aa_helper) + " is libvirt's own; adopted domains do without it, others keep "
                                    "what it grants and forgets",
           ""}};
}

Findings CheckDirectories(const HostPaths& paths) {
  return {CheckDirectory(paths.config_dir, kOthersSearch),
          CheckDirectory(paths.config_dir + "/domains", kOthersSearch),
          CheckDirectory(paths.run_dir, kOthersSearch), CheckDirectory(paths.state_dir, 0)};
}

}  // namespace openhook::doctor
