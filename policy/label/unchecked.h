// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Two lesser back ends. One checks nothing: where no security module is in force, or an
// administrator said so. The other compares the label of a peer's socket with a demanded one and
// leaves files to the kernel, for SELinux.

#ifndef POLICY_LABEL_UNCHECKED_H_
#define POLICY_LABEL_UNCHECKED_H_

#include <memory>
#include <string>

#include "policy/label/label.h"

namespace openhook::label {

// `reason` is the first half of the level's sentence: why nothing is checked.
std::unique_ptr<BackEnd> MakeUnchecked(Module module, const std::string& reason);

std::unique_ptr<BackEnd> MakeSocketLabelOnly(Module module, std::string demanded);

}  // namespace openhook::label

#endif  // POLICY_LABEL_UNCHECKED_H_
