// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/definition_rules.h"

#include <algorithm>
#include <array>
#include <set>

#include "broker/aa_helper/valid_path.h"
#include "broker/base/canonical_path.h"
#include "broker/base/text.h"

namespace openhook::aa_helper {

namespace {

using ctl::PlannedGrant;
using domain::Access;
using domain::Kind;

constexpr std::string_view kMirror = " mirror";
constexpr std::string_view kRenderNodes = "/dev/dri/";
// libvirt's directories have the first bytes of a name (VIR_DOMAIN_SHORT_NAME).
constexpr std::size_t kShortNameBytes = 20;

// What Mesa and the like read of the host beside the render node.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kOfGraphics = {{
    {"/usr/lib{,32,64}/dri/*.so*", "rm"},
    {"/usr/lib/@{multiarch}/dri/*.so*", "rm"},
    {"/usr/lib/fglrx/dri/*.so*", "rm"},
    {"/etc/drirc", "r"},
    {"/usr/share/drirc.d/{,*.conf}", "r"},
    {"/etc/glvnd/egl_vendor.d/{,*}", "r"},
    {"/usr/share/glvnd/egl_vendor.d/{,*}", "r"},
    {"/usr/share/egl/egl_external_platform.d/{,*}", "r"},
    {"/proc/modules", "r"},
    {"/proc/driver/nvidia/params", "r"},
    {"/dev/nvidiactl", "rw"},
    {"/dev/dri/", "r"},
    {"/sys/devices/**/{uevent,vendor,device,subsystem_vendor,subsystem_device,config,revision}",
     "r"},
}};

Rule Written(std::string_view text, std::string_view perms) {
  const std::size_t literal = std::min(text.find_first_of("*{@"), text.size());
  return {std::string(text.substr(0, literal)), std::string(text.substr(literal)),
          std::string(perms)};
}

bool Writes(const PlannedGrant& grant) {
  return grant.access == Access::kReadWrite || grant.access == Access::kCreate;
}

std::string PermsOf(const PlannedGrant& grant) {
  const bool locked = !grant.role.empty() || grant.source == "loader" || grant.source == "nvram";
  return std::string(Writes(grant) ? "rw" : "r") + (locked ? "k" : "");
}

void AddRulesOf(const PlannedGrant& grant, const std::string& path, std::vector<Rule>* rules) {
  if (grant.kind != Kind::kDirectory) {
    AddTo(rules, {path, "", PermsOf(grant)});
    return;
  }
  AddTo(rules, {path + "/", "", "r"});
  AddTo(rules, {path + "/", "**", Writes(grant) ? "rwkl" : "rk"});
}

bool HasName(const ctl::HostPlan& plan, const std::string& requested) {
  return std::any_of(plan.grants.begin(), plan.grants.end(),
                     [&](const PlannedGrant& grant) { return grant.requested == requested; });
}

bool IsHeld(const PlannedGrant& grant, const Moment& moment) {
  const Hold hold = moment.hold(grant.path);
  return hold == Hold::kForReading || hold == Hold::kForWriting;
}

Result<void> Check(const PlannedGrant& grant) {
  if (ValidityOf(grant.path, PermsOf(grant)) != Validity::kRestricted) {
    return {};
  }
  return Fail(ErrorCode::kPermission,
              grant.path +
                  ": skipped restricted file: it is the host's own, and the definition "
                  "asks for it (" +
                  grant.source + ")");
}

}  // namespace

std::string DirectoryName(const std::string& name, const std::string& short_name) {
  return short_name.empty() ? "-1-" + name.substr(0, kShortNameBytes) : short_name;
}

std::vector<Rule> RulesOfEveryMachine(const std::string& name, const std::string& short_name) {
  // A pattern is taken as it stands, so what is a name in it is octal.
  const std::string quoted = Rule{name, "", ""}.Text();
  return {
      {"/var/log/libvirt/", "**/" + quoted + "\\056log", "w"},
      {"/var/lib/libvirt/qemu/domain-" + name + "/monitor.sock", "", "rw"},
      {"/var/lib/libvirt/qemu/domain-" + DirectoryName(name, short_name) + "/", "*", "rw"},
      {"/run/libvirt/", "**/" + quoted + "\\056pid", "rwk"},
      {"/run/libvirt/", "**/*\\056tunnelmigrate\\056dest\\056" + quoted, "rw"},
  };
}

std::vector<std::string> TakeUnreadableAsSpelled(const domain::Plan& plan,
                                                 const domain::ForbiddenPaths& forbidden,
                                                 ctl::HostPlan* on_host) {
  std::vector<std::string> sentences;
  std::vector<domain::Refusal> others;
  for (domain::Refusal& refusal : on_host->refused) {
    const auto clean = CanonicalPath::Parse(LexicalClean(refusal.path, "/").value_or(""));
    const auto wanted =
        std::find_if(plan.files.begin(), plan.files.end(), [&](const domain::WantedFile& file) {
          return file.path == refusal.path && file.source == refusal.source;
        });
    const bool spelled = refusal.because == domain::Refusal::Because::kUnreadable && clean &&
                         wanted != plan.files.end() &&
                         !forbidden.ReasonAgainst(clean->str(), wanted->access, wanted->kind,
                                                  {plan.name, plan.uuid, plan.short_name});
    if (!spelled) {
      others.push_back(std::move(refusal));
      continue;
    }
    sentences.push_back(refusal.source + ": " + Quote(refusal.path) + " " + refusal.reason);
    if (!HasName(*on_host, refusal.path)) {
      on_host->grants.push_back({.path = clean->str(),
                                 .requested = refusal.path,
                                 .access = wanted->access,
                                 .kind = wanted->kind,
                                 .source = wanted->source,
                                 .depth = wanted->depth,
                                 .role = std::string(ToString(wanted->role))});
    }
  }
  on_host->refused = std::move(others);
  return sentences;
}

Result<std::vector<Rule>> RulesOfPlan(const ctl::HostPlan& plan) {
  if (!plan.refused.empty()) {
    const domain::Refusal& refusal = plan.refused.front();
    return Fail(ErrorCode::kPermission, Escape(refusal.path) + ": skipped restricted file (" +
                                            refusal.source + "): it " + refusal.reason +
                                            "; /etc/openhook/forbidden-paths can allow it");
  }
  std::vector<Rule> rules;
  bool graphics = false;
  for (const PlannedGrant& grant : plan.grants) {
    if (ValidityOf(grant.path, "r") == Validity::kNotAbsolute) {
      continue;
    }
    if (auto checked = Check(grant); !checked) {
      return tl::make_unexpected(checked.error());
    }
    // The kernel compares the name without symlinks.
    AddRulesOf(grant, grant.path, &rules);
    graphics = graphics || grant.path.starts_with(kRenderNodes);
  }
  if (graphics) {
    for (const auto& [text, perms] : kOfGraphics) {
      AddTo(&rules, Written(text, perms));
    }
  }
  return rules;
}

void LeaveOutFinishedSides(const Moment& moment, ctl::HostPlan* plan) {
  std::set<std::string> disks;
  for (const PlannedGrant& grant : plan->grants) {
    if (grant.source.ends_with(kMirror) && grant.depth == 0) {
      disks.insert(grant.source.substr(0, grant.source.size() - kMirror.size()));
    }
  }
  for (const std::string& disk : disks) {
    const auto active_is_held = [&](const std::string& source) {
      return std::any_of(plan->grants.begin(), plan->grants.end(), [&](const PlannedGrant& grant) {
        return grant.source == source && grant.depth == 0 && IsHeld(grant, moment);
      });
    };
    const std::string mirror = disk + std::string(kMirror);
    const bool disk_is_held = active_is_held(disk);
    if (disk_is_held != active_is_held(mirror)) {
      const std::string& finished = disk_is_held ? mirror : disk;
      std::erase_if(plan->grants, [&](const PlannedGrant& grant) {
        return grant.source == finished && !IsHeld(grant, moment);
      });
    }
  }
}

}  // namespace openhook::aa_helper
