// SPDX-License-Identifier: LGPL-2.1-or-later
//
// From a broker's packets to the rules of a profile. The broker is not believed: it may be broken
// into by the VM that it serves. So it can name its own VM's profile only, canonical paths outside
// of what no VM is ever given, and no more than a profile holds.

#ifndef POLICY_LOADER_RULE_LIST_H_
#define POLICY_LOADER_RULE_LIST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::loader {

class RuleList {
 public:
  // `profile` is the only one that may be asked for; nothing below `forbidden` may be in it.
  RuleList(std::string profile, std::vector<std::string> forbidden)
      : profile_(std::move(profile)), forbidden_(std::move(forbidden)) {}

  struct Complete {
    std::uint64_t id = 0;
    apparmor::Rules rules;
  };
  // Takes one packet. Nothing: more are to come. After an error the list begins anew. Errors:
  // kInvalidArgument, kPermission, kLimit, with the sentence for the broker.
  Result<std::optional<Complete>> Add(std::span<const std::uint8_t> packet);
  // Of the last packet, as far as it could be read.
  [[nodiscard]] std::uint64_t last_id() const { return last_id_; }
  // Another broker begins.
  void Forget();

 private:
  Result<bool> AddPacket(std::span<const std::uint8_t> packet);
  Result<void> AddRule(const std::string& path, int access);

  std::string profile_;
  std::vector<std::string> forbidden_;
  std::uint64_t last_id_ = 0;
  bool begun_ = false;
  std::size_t path_bytes_ = 0;
  Complete list_;
};

}  // namespace openhook::loader

#endif  // POLICY_LOADER_RULE_LIST_H_
