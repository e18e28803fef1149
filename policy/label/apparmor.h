// SPDX-License-Identifier: LGPL-2.1-or-later
//
// AppArmor's back end. A peer has to be in exactly the VM's profile, enforced: by the label of its
// socket where the kernel keeps one, and by that of its process in any case, again before each
// request. Its profile has to allow each file, by the kernel's own answer.

#ifndef POLICY_LABEL_APPARMOR_H_
#define POLICY_LABEL_APPARMOR_H_

#include <memory>

#include "policy/label/apparmor_parse.h"
#include "policy/label/detect.h"
#include "policy/label/label.h"

namespace openhook::label {

// `facts` say what this kernel can tell of peers.
std::unique_ptr<BackEnd> MakeAppArmor(AppArmorDemand demand, const KernelFacts& facts);

}  // namespace openhook::label

#endif  // POLICY_LABEL_APPARMOR_H_
