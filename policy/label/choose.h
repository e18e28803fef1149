// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From what an administrator wants and what the kernel has to one back end, or to a reason not to
// start. Nothing weaker than what was asked for is ever chosen.

#ifndef POLICY_LABEL_CHOOSE_H_
#define POLICY_LABEL_CHOOSE_H_

#include <memory>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "policy/label/apparmor_parse.h"
#include "policy/label/detect.h"
#include "policy/label/label.h"

namespace openhook::label {

struct Wanted {
  std::string vm;                         // UUID; under AppArmor its profile is libvirt-UUID
  std::optional<std::string> peer_label;  // another label than that
  bool unchecked = false;                 // peers may have any label
  std::optional<Module> required;         // this module has to be in force
  ComplainMode complain = ComplainMode::kRefused;
};

// Reads the words of --peer-label and --require-label. Errors: kInvalidArgument.
Result<void> ParsePeerLabel(const std::string& text, Wanted* wanted);
Result<void> ParseRequired(const std::string& text, Wanted* wanted);

// Errors: kInvalidArgument for what contradicts itself; kUnsupported where the kernel does not have
// it; kUnavailable where it has it, but cannot be asked from here.
Result<std::unique_ptr<BackEnd>> Choose(const Wanted& wanted, const KernelFacts& facts);

}  // namespace openhook::label

#endif  // POLICY_LABEL_CHOOSE_H_
