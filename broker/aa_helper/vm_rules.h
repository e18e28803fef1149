// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What one machine may do, as the helper remembers it between two calls: the rules of its
// definition, and those that libvirt appended for operations under way, each a lease of its own.
// The file in which it is remembered is the one that AppArmor's parser reads
// (libvirt/libvirt-UUID.files), so that memory and policy cannot differ. Pure.

#ifndef BROKER_AA_HELPER_VM_RULES_H_
#define BROKER_AA_HELPER_VM_RULES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/aa_helper/rule.h"
#include "broker/base/result.h"

namespace openhook::aa_helper {

// libvirt appends a file before the operation that needs it, and never says when that is over.
struct Appended {
  Rule rule;
  // The definition had the file when it was appended: so what is appended is writing to it, for a
  // commit. Such a file is appended again when the commit has ended.
  bool known = false;
  unsigned calls = 0;
  // Since when a known file has not been held for writing though no end was told; 0: it is held.
  std::int64_t waning_since = 0;
};

struct VmRules {
  std::vector<Rule> definition;
  std::vector<Appended> appended;  // in the order of the last time
};

std::string Render(const VmRules& rules);
// Errors: kUnsupported for a file that was not made by Render().
Result<VmRules> Parse(std::string_view text);
// What another helper left: its rules, but those that deny, as if they had been appended.
VmRules ParseForeign(std::string_view text);

// How the machine's processes have a file open.
enum class Hold : std::uint8_t {
  kNot,
  kForReading,
  kForWriting,
  kUnknown,  // cannot be told, as of a socket
};

struct Moment {
  std::function<Hold(const std::string& path)> hold;
  std::int64_t unix_time = 0;
};

// The rules of a new definition, and of the old ones what is still needed: what a process holds,
// and what an operation was given that has not told its end.
VmRules Regenerate(const VmRules& before, std::vector<Rule> definition, const Moment& moment);

// A file more. `through_chain`: libvirt goes down the backing chain of the file that it appended
// last; such an image is read only, and no operation of its own.
enum class Reason : std::uint8_t { kItself, kThroughChain };
VmRules Append(VmRules before, const Rule& rule, bool known, Reason reason);

// A commit that was aborted tells no end. Its right to write ends so many seconds after QEMU has
// let go, with the next call.
inline constexpr std::int64_t kWaningSeconds = 60;

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_VM_RULES_H_
