// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Why a decision was taken: a closed list. Each rule has a stable word for machines, a sentence
// that may be told to the client (it reveals nothing about files the client was not granted), and a
// remedy for the administrator.

#ifndef BROKER_WHITELIST_RULE_H_
#define BROKER_WHITELIST_RULE_H_

#include <cstdint>
#include <string_view>

namespace openhook::whitelist {

enum class Rule : std::uint8_t {
  kGranted,      // allow: a live lease gives this
  kCreatedByVm,  // allow: the VM made this file itself
  kSystemFile,   // not mine
  kNotWhitelisted,
  kReadOnlyGrant,
  kLeaseEnded,
  kCreateNotGranted,
  kTruncateNotGranted,
  kUnknownFlags,
  kIdentityChanged,
  kAliasChanged,
  kAppeared,  // exists in a place where only the VM's own new files would
  kUnlinkNotOwn,
  kExecute,
  kDirectory,  // a directory grant is for creating in it, not for opening it
  kStale,
  kLockedByAnotherVm,  // reads are allowed; another VM of this host may write
  kLabelDenies,        // the security module's policy for the VM does not give this access
  kMalformedName,
};

struct RuleText {
  std::string_view word;
  std::string_view reason;  // at most 200 bytes
  std::string_view remedy;  // empty where nothing needs doing
  int sys_errno;            // what the program sees; 0 for the allowing rules
};

const RuleText& TextOf(Rule rule);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_RULE_H_
