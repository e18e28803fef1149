// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Grants as the resolver would make them, without a file system.

#ifndef TESTS_UNIT_WHITELIST_SAMPLE_GRANTS_H_
#define TESTS_UNIT_WHITELIST_SAMPLE_GRANTS_H_

#include <string>
#include <vector>

#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

inline CanonicalPath At(const std::string& path) { return CanonicalPath::Parse(path).value(); }

inline FileIdentity Inode(std::uint64_t ino, FileKind kind = FileKind::kRegular) {
  FileIdentity identity;
  identity.kind = kind;
  identity.dev = 1;
  identity.ino = ino;
  identity.birth_ns = 1;
  identity.birth_settled = true;
  return identity;
}

inline Grant File(const std::string& path, GrantAccess access, std::uint64_t ino,
                  const std::string& lease = "domain") {
  Grant grant{.path = At(path)};
  grant.lease = lease;
  grant.access = access;
  grant.identity = Inode(ino);
  if (access == GrantAccess::kCreate) {
    grant.directory = Inode(1000, FileKind::kDirectory);
  }
  return grant;
}

// A file of a disk's chain.
inline Grant Member(const std::string& path, std::uint64_t ino, std::uint32_t depth,
                    GrantAccess access = GrantAccess::kRead, const std::string& lease = "domain") {
  Grant grant = File(path, access, ino, lease);
  grant.role = depth == 0 ? "image" : "backing";
  grant.depth = depth;
  grant.format = "qcow2";
  return grant;
}

inline ChainImage Image(const std::string& path) { return {At(path), "qcow2", {}}; }

inline Grant NewName(const std::string& path, const std::string& lease = "domain") {
  Grant grant{.path = At(path)};
  grant.lease = lease;
  grant.access = GrantAccess::kCreate;
  grant.directory = Inode(1000, FileKind::kDirectory);
  return grant;
}

inline Grant Folder(const std::string& path, const std::string& lease = "domain") {
  Grant grant{.path = At(path)};
  grant.lease = lease;
  grant.access = GrantAccess::kCreate;
  grant.identity = Inode(1000, FileKind::kDirectory);
  return grant;
}

inline CreatedFile Made(const std::string& path, std::uint64_t ino,
                        const std::string& lease = "domain", std::uint64_t token = 0) {
  return {At(path), lease, Inode(ino), Inode(1000, FileKind::kDirectory), token};
}

// Plans and applies, as the broker does with a store in between.
inline Result<void> Give(Whitelist* whitelist, std::vector<Grant> grants) {
  auto change = whitelist->PlanGrants(std::move(grants));
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  whitelist->Apply(*change);
  return {};
}

inline Result<void> Take(Whitelist* whitelist, const std::string& lease,
                         const std::vector<std::string>& paths = {}) {
  auto change = whitelist->PlanRevoke(lease, paths);
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  whitelist->Apply(*change);
  return {};
}

}  // namespace openhook::whitelist

#endif  // TESTS_UNIT_WHITELIST_SAMPLE_GRANTS_H_
