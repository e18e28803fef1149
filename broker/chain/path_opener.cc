// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/path_opener.h"

#include <memory>

#include "broker/base/text.h"
#include "broker/fs/identity.h"
#include "broker/fs/open.h"
#include "broker/fs/resolve.h"

namespace openhook::chain {

namespace {

image::MemberKind KindOf(const FileIdentity& identity) {
  switch (identity.kind) {
    case FileKind::kRegular:
      return image::MemberKind::kRegularFile;
    case FileKind::kBlock:
      return image::MemberKind::kBlockDevice;
    default:
      return image::MemberKind::kOther;
  }
}

// As image::MemberIdentity defines it: two nodes of one block device are the same disk.
image::MemberIdentity MemberIdentityOf(const FileIdentity& identity) {
  if (identity.kind == FileKind::kBlock) {
    return {KindOf(identity), identity.rdev, 0};
  }
  return {KindOf(identity), identity.dev, identity.ino};
}

OpenIntent ReadIntent() {
  OpenIntent intent;
  intent.access = Access::kRead;
  intent.nonblock = true;
  return intent;
}

}  // namespace

Result<image::OpenedMember> PathOpener::Open(std::string_view spelling) {
  const std::string absolute =
      spelling.starts_with('/') ? std::string(spelling) : cwd_ + "/" + std::string(spelling);
  Result<fs::ResolvedFile> resolved = fs::ResolveFollowing(absolute);
  if (!resolved) {
    return tl::make_unexpected(std::move(resolved).error());
  }
  image::OpenedMember member{resolved->path, MemberIdentityOf(resolved->identity), nullptr};
  if (member.identity.kind == image::MemberKind::kOther) {
    return member;
  }
  Result<IoFd> opened = fs::OpenResolved(resolved->fd, resolved->identity, ReadIntent());
  if (!opened) {
    Error error = std::move(opened).error();
    error.context = "cannot read " + Quote(absolute) + ": " + error.context;
    return tl::make_unexpected(std::move(error));
  }
  member.bytes = std::make_unique<image::FdByteSource>(std::move(*opened));
  opened_.insert_or_assign(resolved->path, std::move(resolved->identity));
  return member;
}

const FileIdentity* PathOpener::Find(const CanonicalPath& path) const {
  const auto found = opened_.find(path);
  return found == opened_.end() ? nullptr : &found->second;
}

}  // namespace openhook::chain
