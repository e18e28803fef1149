// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which security module the kernel has in force, and what of it can be seen from here: a container
// often sees that AppArmor is in force, but not the files by which it is asked.

#ifndef POLICY_LABEL_DETECT_H_
#define POLICY_LABEL_DETECT_H_

#include <optional>
#include <string>

#include "policy/label/label.h"

namespace openhook::label {

// The kernel's own words; absent where the file cannot be read.
struct KernelFacts {
  std::optional<std::string> lsm;               // /sys/kernel/security/lsm: "lockdown,apparmor"
  std::optional<std::string> apparmor_enabled;  // /sys/module/apparmor/parameters/enabled: "Y"
  std::optional<std::string> selinux_enforce;   // /sys/fs/selinux/enforce: "0", "1"
  bool apparmor_answers = false;                // its question file can be opened
  bool socket_labels = false;                   // SO_PEERSEC works on Unix sockets
  bool peer_pidfds = false;                     // SO_PEERPIDFD
  std::string own_label;                        // of this process; empty: none
  std::string unreadable;  // one of these files that is there, but may not be read; empty: none
};

KernelFacts ReadKernelFacts();

// Pure. Both at once cannot be: they are exclusive modules.
Module ModuleInForce(const KernelFacts& facts);

}  // namespace openhook::label

#endif  // POLICY_LABEL_DETECT_H_
