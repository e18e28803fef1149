// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The kernel's Landlock interface: numbers and structures of include/uapi/linux/landlock.h as of
// Linux 6.15 (ABI 7). Written down here because the headers of the reference system are those of
// Linux 6.1 (ABI 2), and a newer kernel must be used to the full.

#ifndef POLICY_PROFILE_LANDLOCK_ABI_H_
#define POLICY_PROFILE_LANDLOCK_ABI_H_

#include <cstdint>

namespace openhook::landlock::abi {

// LANDLOCK_ACCESS_FS_*
inline constexpr std::uint64_t kExecute = 1ULL << 0;
inline constexpr std::uint64_t kWriteFile = 1ULL << 1;
inline constexpr std::uint64_t kReadFile = 1ULL << 2;
inline constexpr std::uint64_t kReadDir = 1ULL << 3;
inline constexpr std::uint64_t kRemoveDir = 1ULL << 4;
inline constexpr std::uint64_t kRemoveFile = 1ULL << 5;
inline constexpr std::uint64_t kMakeChar = 1ULL << 6;
inline constexpr std::uint64_t kMakeDir = 1ULL << 7;
inline constexpr std::uint64_t kMakeReg = 1ULL << 8;
inline constexpr std::uint64_t kMakeSock = 1ULL << 9;
inline constexpr std::uint64_t kMakeFifo = 1ULL << 10;
inline constexpr std::uint64_t kMakeBlock = 1ULL << 11;
inline constexpr std::uint64_t kMakeSym = 1ULL << 12;
inline constexpr std::uint64_t kRefer = 1ULL << 13;     // ABI 2, Linux 5.19
inline constexpr std::uint64_t kTruncate = 1ULL << 14;  // ABI 3, Linux 6.2
inline constexpr std::uint64_t kIoctlDev = 1ULL << 15;  // ABI 5, Linux 6.10

// LANDLOCK_SCOPE_*, ABI 6, Linux 6.12
inline constexpr std::uint64_t kScopeAbstractUnixSocket = 1ULL << 0;
inline constexpr std::uint64_t kScopeSignal = 1ULL << 1;

inline constexpr int kAbiWithRefer = 2;
inline constexpr int kAbiWithTruncate = 3;
inline constexpr int kAbiWithIoctlDev = 5;
inline constexpr int kAbiWithScopes = 6;

// Rights that a rule on something other than a directory may give (the kernel refuses others).
inline constexpr std::uint64_t kRightsOfAFile =
    kExecute | kWriteFile | kReadFile | kTruncate | kIoctlDev;

// Every file system right of an ABI.
constexpr std::uint64_t HandledRights(int abi) {
  std::uint64_t rights = kRefer - 1;  // ABI 1: all bits below
  if (abi >= kAbiWithRefer) {
    rights |= kRefer;
  }
  if (abi >= kAbiWithTruncate) {
    rights |= kTruncate;
  }
  if (abi >= kAbiWithIoctlDev) {
    rights |= kIoctlDev;
  }
  return rights;
}

constexpr std::uint64_t Scopes(int abi) {
  return abi >= kAbiWithScopes ? kScopeAbstractUnixSocket | kScopeSignal : 0;
}

// struct landlock_ruleset_attr. Older kernels take the longer structure as long as the fields that
// they do not know are zero (copy_struct_from_user).
struct RulesetAttr {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

// struct landlock_path_beneath_attr
struct __attribute__((packed)) PathBeneathAttr {
  std::uint64_t allowed_access;
  std::int32_t parent_fd;
};

inline constexpr std::uint32_t kCreateRulesetVersion = 1U << 0;  // LANDLOCK_CREATE_RULESET_VERSION
inline constexpr int kRulePathBeneath = 1;                       // LANDLOCK_RULE_PATH_BENEATH

}  // namespace openhook::landlock::abi

#endif  // POLICY_PROFILE_LANDLOCK_ABI_H_
