// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/rule.h"

#include <cerrno>

namespace openhook::whitelist {

const RuleText& TextOf(Rule rule) {
  static constexpr RuleText kGranted{"granted", "a lease of this VM gives this access", "", 0};
  static constexpr RuleText kCreated{"created-by-vm", "this VM created the file", "", 0};
  static constexpr RuleText kSystem{"system-file", "a file of the operating system", "", 0};
  static constexpr RuleText kNotWhitelisted{"not-whitelisted",
                                            "the name is not on the whitelist of this VM",
                                            "if the VM should use it: openhookctl grant PATH "
                                            "[--write]; for a disk with backing files add "
                                            "--chain",
                                            EACCES};
  static constexpr RuleText kReadOnly{"read-only-grant", "the file is granted for reading only",
                                      "if the VM should write to it (a commit into it, for "
                                      "example): openhookctl grant PATH --write",
                                      EACCES};
  static constexpr RuleText kEnded{
      "lease-ended", "the lease that gave the file has ended; what is open stays readable",
      "if the VM should go on writing to it: openhookctl grant PATH --write", EACCES};
  static constexpr RuleText kNoCreate{
      "create-not-granted", "no create grant covers this name",
      "openhookctl grant PATH --create, for the name itself or for its directory", EACCES};
  static constexpr RuleText kNoTruncate{
      "truncate-not-granted", "truncating needs write access and a create grant",
      "openhookctl grant PATH --create, if the VM may empty this file", EACCES};
  static constexpr RuleText kFlags{
      "unknown-flags", "the request has open(2) flags that have no meaning here",
      "none: a stock QEMU does not use them; look at what sent this", EINVAL};
  static constexpr RuleText kIdentity{
      "identity-changed", "the name leads to another file than the one that was granted",
      "if the file was replaced on purpose: openhookctl grant PATH again", EACCES};
  static constexpr RuleText kAlias{
      "alias-changed", "a symbolic link or directory in the name changed since the grant",
      "if it was changed on purpose: openhookctl grant PATH again", EACCES};
  static constexpr RuleText kAppeared{
      "appeared", "a file that this VM did not create has the name of the create grant",
      "if the VM should use the existing file: openhookctl grant PATH --create again", EACCES};
  static constexpr RuleText kUnlink{"unlink-not-own",
                                    "a VM may remove only files that it created through the broker",
                                    "remove the file yourself, if that is wanted", EACCES};
  static constexpr RuleText kExecute{"execute", "no file of a VM is given for execution", "",
                                     EACCES};
  static constexpr RuleText kDirectory{
      "directory", "a directory is granted for creating files in it, not for being opened", "",
      EISDIR};
  static constexpr RuleText kStale{
      "stale", "the grant could not be confirmed to mean the same file any more",
      "openhookctl grant PATH again", EACCES};
  static constexpr RuleText kLocked{
      "locked-by-another-vm", "another VM on this host may write to the file; this one may read it",
      "revoke it from the other VM, or end that VM and its broker; then open it again", EACCES};
  static constexpr RuleText kLabel{
      "label-denies", "the security profile of this VM does not give this access",
      "if the VM should have it: add the file to the VM's profile and load it", EACCES};
  static constexpr RuleText kMalformed{"malformed-name", "the name is not a usable path", "",
                                       EINVAL};
  switch (rule) {
    case Rule::kGranted:
      return kGranted;
    case Rule::kCreatedByVm:
      return kCreated;
    case Rule::kSystemFile:
      return kSystem;
    case Rule::kNotWhitelisted:
      return kNotWhitelisted;
    case Rule::kReadOnlyGrant:
      return kReadOnly;
    case Rule::kLeaseEnded:
      return kEnded;
    case Rule::kCreateNotGranted:
      return kNoCreate;
    case Rule::kTruncateNotGranted:
      return kNoTruncate;
    case Rule::kUnknownFlags:
      return kFlags;
    case Rule::kIdentityChanged:
      return kIdentity;
    case Rule::kAliasChanged:
      return kAlias;
    case Rule::kAppeared:
      return kAppeared;
    case Rule::kUnlinkNotOwn:
      return kUnlink;
    case Rule::kExecute:
      return kExecute;
    case Rule::kDirectory:
      return kDirectory;
    case Rule::kStale:
      return kStale;
    case Rule::kLockedByAnotherVm:
      return kLocked;
    case Rule::kLabelDenies:
      return kLabel;
    case Rule::kMalformedName:
      return kMalformed;
  }
  return kNotWhitelisted;
}

}  // namespace openhook::whitelist
