// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which files the processes in one AppArmor profile have open at this moment, asked of the kernel.

#ifndef BROKER_AA_HELPER_HOLDS_H_
#define BROKER_AA_HELPER_HOLDS_H_

#include <sys/types.h>

#include <set>
#include <string>

#include "broker/aa_helper/vm_rules.h"
#include "broker/base/result.h"
#include "broker/fs/holders.h"

namespace openhook::aa_helper {

// Errors: kUnavailable when /proc cannot be read.
Result<std::set<pid_t>> ProcessesIn(const std::string& profile);

class Holds {
 public:
  // Errors: as ProcessesIn().
  static Result<Holds> Look(const std::string& profile);

  // By identity: the file that has this name now, and not what a descriptor was opened by.
  [[nodiscard]] Hold Of(const std::string& path) const;

 private:
  explicit Holds(fs::HeldFiles held) : held_(std::move(held)) {}
  fs::HeldFiles held_;
};

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_HOLDS_H_
