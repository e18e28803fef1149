// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/choose.h"

#include "broker/base/text.h"
#include "policy/label/apparmor.h"
#include "policy/label/unchecked.h"

namespace openhook::label {

namespace {

constexpr std::string_view kAnyLabel = "unchecked";
constexpr std::string_view kEnforced = " (enforce)";

using Chosen = Result<std::unique_ptr<BackEnd>>;

std::string NameOf(Module module) {
  switch (module) {
    case Module::kAppArmor:
      return "AppArmor";
    case Module::kSelinux:
      return "SELinux";
    case Module::kNone:
      break;
  }
  return "no security module";
}

Result<void> MeetRequirement(const Wanted& wanted, Module in_force) {
  if (!wanted.required) {
    return {};
  }
  const std::string option = "--require-label " + std::string(ToString(*wanted.required));
  if (wanted.unchecked) {
    return Fail(ErrorCode::kInvalidArgument,
                option + " and --peer-label unchecked contradict each other; leave one out");
  }
  if (in_force != *wanted.required) {
    return Fail(ErrorCode::kUnsupported,
                option + ": this kernel has " + NameOf(in_force) +
                    " in force; boot it with security=" + std::string(ToString(*wanted.required)) +
                    ", or leave the option out");
  }
  if (in_force == Module::kSelinux && !wanted.peer_label) {
    return Fail(ErrorCode::kInvalidArgument,
                option + " needs the label that the VM's QEMU has: --peer-label");
  }
  return {};
}

Chosen ChooseAppArmor(const Wanted& wanted, const KernelFacts& facts) {
  if (!facts.apparmor_answers) {
    return Fail(ErrorCode::kUnavailable,
                "AppArmor is in force, but cannot be asked from here what a profile allows: mount "
                "securityfs on /sys/kernel/security, or say with --peer-label unchecked that "
                "labels are not to be checked");
  }
  return MakeAppArmor({wanted.peer_label.value_or("libvirt-" + wanted.vm), wanted.complain}, facts);
}

}  // namespace

Result<void> ParsePeerLabel(const std::string& text, Wanted* wanted) {
  if (text == kAnyLabel) {
    wanted->unchecked = true;
    return {};
  }
  if (text.empty() || text.find_first_of(std::string_view("\0\n", 2)) != std::string::npos ||
      text == "unconfined" || text.ends_with(" (complain)") || text.find("//&") != text.npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "--peer-label " + Quote(text) +
                    " is no label that confines a VM; it is one profile or context, or "
                    "'unchecked' (for complain mode: --accept-complain)");
  }
  wanted->peer_label = text;
  return {};
}

Result<void> ParseRequired(const std::string& text, Wanted* wanted) {
  for (const Module module : {Module::kAppArmor, Module::kSelinux}) {
    if (text == ToString(module)) {
      wanted->required = module;
      return {};
    }
  }
  return Fail(ErrorCode::kInvalidArgument,
              "--require-label is apparmor or selinux, not " + Quote(text));
}

Chosen Choose(const Wanted& wanted, const KernelFacts& facts) {
  const Module in_force = ModuleInForce(facts);
  if (auto met = MeetRequirement(wanted, in_force); !met) {
    return tl::make_unexpected(met.error());
  }
  if (wanted.unchecked && in_force != Module::kNone) {
    return MakeUnchecked(in_force, NameOf(in_force) + " is in force, but --peer-label unchecked");
  }
  switch (in_force) {
    case Module::kAppArmor: {
      Wanted named = wanted;
      if (named.peer_label && named.peer_label->ends_with(kEnforced)) {
        named.peer_label->resize(named.peer_label->size() - kEnforced.size());
      }
      return ChooseAppArmor(named, facts);
    }
    case Module::kSelinux:
      return wanted.peer_label
                 ? MakeSocketLabelOnly(in_force, *wanted.peer_label)
                 : MakeUnchecked(in_force, "SELinux is in force, but no --peer-label");
    case Module::kNone:
      break;
  }
  if (!facts.unreadable.empty() && !wanted.unchecked) {
    return Fail(ErrorCode::kUnavailable,
                "cannot tell which security module is in force, because " +
                    Quote(facts.unreadable) +
                    " may not be read from here; allow that in openhookd's profile, or say with "
                    "--peer-label unchecked that labels are not to be checked");
  }
  if (wanted.peer_label) {
    return Fail(ErrorCode::kUnsupported,
                "--peer-label " + Quote(*wanted.peer_label) +
                    ": this kernel has no security module in force that gives labels, so no peer "
                    "could be served; leave the option out");
  }
  return MakeUnchecked(in_force, "no security module in force");
}

}  // namespace openhook::label
