// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/label.h"

namespace openhook::label {

std::string_view ToString(Module module) {
  switch (module) {
    case Module::kNone:
      return "none";
    case Module::kAppArmor:
      return "apparmor";
    case Module::kSelinux:
      return "selinux";
  }
  return "unknown";
}

std::string_view ToString(Checked checked) {
  switch (checked) {
    case Checked::kNothing:
      return "uid";
    case Checked::kPeer:
      return "peer";
    case Checked::kPeerAndFiles:
      return "peer-and-files";
  }
  return "unknown";
}

}  // namespace openhook::label
