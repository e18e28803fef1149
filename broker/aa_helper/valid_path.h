// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which paths virt-aa-helper (9.0) puts into a profile, and which it refuses as the host's own.

#ifndef BROKER_AA_HELPER_VALID_PATH_H_
#define BROKER_AA_HELPER_VALID_PATH_H_

#include <cstdint>
#include <string_view>

namespace openhook::aa_helper {

enum class Validity : std::uint8_t {
  kValid,
  kNotAbsolute,  // skipped with a warning
  kRestricted,   // refuses the whole definition
};

// `path` is free of symlinks as far as it exists; `perms` are those of the rule.
Validity ValidityOf(std::string_view path, std::string_view perms);

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_VALID_PATH_H_
