// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/pin_job.h"

#include "broker/base/forbidden_paths.h"
#include "broker/base/text.h"
#include "broker/fs/create.h"
#include "broker/fs/identity.h"
#include "broker/fs/mounts.h"
#include "broker/fs/resolve.h"

namespace openhook::worker {

namespace {

Result<void> CheckExpected(const PinWish& wish, const FileIdentity& found) {
  if (wish.expected_ino == 0 ||
      (wish.expected_ino == found.ino && wish.expected_dev == found.dev)) {
    return {};
  }
  return Fail(ErrorCode::kConflict, "the file " + Quote(wish.path) +
                                        " was replaced while it was being granted; look at it and "
                                        "grant it again");
}

struct FreeName {
  fs::ResolvedFile directory;
  CanonicalPath path;
};

// For a create grant of a name that does not exist: the directory has to.
Result<FreeName> ResolveNewName(const std::string& clean) {
  const std::size_t slash = clean.rfind('/');
  auto directory = fs::ResolveFollowing(slash == 0 ? "/" : clean.substr(0, slash));
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  auto path = directory->path.Join(clean.substr(slash + 1));
  if (!path) {
    return tl::make_unexpected(path.error());
  }
  const auto exists = fs::ExistsIn(directory->fd, path->Name());
  if (!exists || *exists) {
    return Fail(ErrorCode::kConflict,
                "the name " + Quote(clean) +
                    " is taken by something that cannot be opened (a dangling symbolic link?)");
  }
  return FreeName{std::move(*directory), std::move(*path)};
}

// A create grant may make its name anew after it was removed, so the directory is pinned too.
Result<std::optional<FileIdentity>> PinDirectory(const CanonicalPath& path, NewName new_name) {
  if (new_name == NewName::kRefused || path.IsRoot()) {
    return std::optional<FileIdentity>();
  }
  const auto directory = fs::ResolveNoSymlinks(path.Parent());
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  auto identity = fs::IdentityOf(*directory, fs::HandleUse::kRead);
  if (!identity) {
    return tl::make_unexpected(identity.error());
  }
  return std::optional<FileIdentity>(std::move(*identity));
}

// Every further spelling has to lead to the same file; for a name that does not exist yet, its
// directory to the same directory.
Result<void> CheckAliases(const PinWish& wish, const Pinned& pinned) {
  for (const std::string& alias : wish.aliases) {
    const std::string subject = pinned.identity ? alias : alias.substr(0, alias.rfind('/'));
    const auto resolved = fs::ResolveFollowing(subject.empty() ? "/" : subject);
    const FileIdentity& wanted = pinned.identity ? *pinned.identity : *pinned.directory;
    if (!resolved || !SameFile(wanted, resolved->identity)) {
      return Fail(ErrorCode::kConflict, "the name " + Quote(alias) + " does not lead to " +
                                            Quote(pinned.path.str()) +
                                            "; it cannot be a second name for it");
    }
  }
  return {};
}

Result<Pinned> PinExisting(const PinWish& wish, fs::ResolvedFile file) {
  if (auto expected = CheckExpected(wish, file.identity); !expected) {
    return tl::make_unexpected(expected.error());
  }
  auto directory = PinDirectory(file.path, wish.new_name);
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  return Pinned{std::move(file.path), std::move(file.identity), std::move(*directory)};
}

Result<Pinned> PinFile(const PinWish& wish) {
  auto file = fs::ResolveFollowing(wish.path);
  if (file) {
    return PinExisting(wish, std::move(*file));
  }
  if (file.error().code != ErrorCode::kNotFound || wish.new_name == NewName::kRefused) {
    return tl::make_unexpected(file.error());
  }
  auto name = ResolveNewName(wish.path);
  if (!name) {
    return tl::make_unexpected(name.error());
  }
  return Pinned{std::move(name->path), std::nullopt, std::move(name->directory.identity)};
}

// By every name under which the file will be looked for. The server of a block device (multipath,
// iSCSI, NBD) can fall silent like that of a file system, and a last close waits for it.
Result<bool> MayBlockUnderAnyName(const PinWish& wish, const Pinned& pinned) {
  if (pinned.identity && pinned.identity->kind == FileKind::kBlock) {
    return true;
  }
  std::vector<std::string> names = wish.aliases;
  names.insert(names.end(), {pinned.path.str(), wish.path});
  for (const std::string& name : names) {
    const std::string subject = pinned.identity ? name : name.substr(0, name.rfind('/'));
    const auto may_block = fs::MayBlock(subject);
    if (!may_block || *may_block) {
      return may_block;
    }
  }
  return false;
}

Result<Pinned> Pin(const PinWish& wish, const std::vector<std::string>& forbidden) {
  auto pinned = PinFile(wish);
  if (!pinned) {
    pinned.error().context = "cannot grant " + Quote(wish.path) + ": " + pinned.error().context;
    return pinned;
  }
  for (const auto& check :
       {CheckNotForbidden(pinned->path, forbidden), CheckAliases(wish, *pinned)}) {
    if (!check) {
      return tl::make_unexpected(check.error());
    }
  }
  const auto may_block = MayBlockUnderAnyName(wish, *pinned);
  if (!may_block) {
    return tl::make_unexpected(may_block.error());
  }
  pinned->may_block = *may_block;
  return pinned;
}

}  // namespace

Result<std::vector<Pinned>> Perform(const PinJob& job) {
  std::vector<Pinned> all;
  for (const PinWish& wish : job.wishes) {
    auto pinned = Pin(wish, job.forbidden);
    if (!pinned) {
      return tl::make_unexpected(pinned.error());
    }
    all.push_back(std::move(*pinned));
  }
  return all;
}

}  // namespace openhook::worker
