// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/grant_resolver.h"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <vector>

#include "broker/base/system_paths.h"
#include "broker/base/text.h"
#include "broker/fs/create.h"
#include "broker/fs/identity.h"
#include "broker/fs/resolve.h"

namespace openhook::server {

namespace {

using whitelist::Grant;
using whitelist::GrantAccess;

// What a VM must never be given, whoever asks: the kernel's own file systems, the memory of the
// host, the system's configuration and keys. An image header that a VM rewrote may name them, and
// whoever grants a chain may not look closely.
constexpr std::string_view kForbiddenTrees[] = {
    "/proc", "/sys", "/etc", "/boot", "/dev/mem", "/dev/kmem", "/dev/port", "/root/.ssh",
};
constexpr std::string_view kForbiddenComponents[] = {"/.ssh/", "/.gnupg/"};

Result<void> CheckNotForbidden(const CanonicalPath& path, const Options& options) {
  std::vector<std::string_view> trees(std::begin(kForbiddenTrees), std::end(kForbiddenTrees));
  trees.push_back(options.state_dir);
  trees.push_back(options.run_dir);
  const std::string lock_dir = options.LockDir();
  trees.push_back(lock_dir);
  for (const std::string_view tree : trees) {
    if (IsBeneath(path.str(), tree)) {
      return Fail(ErrorCode::kPermission, "nothing below " + Quote(tree) +
                                              " is ever given to a VM; " + Quote(path.str()) +
                                              " is there");
    }
  }
  for (const std::string_view component : kForbiddenComponents) {
    if (path.str().find(component) != std::string::npos) {
      return Fail(ErrorCode::kPermission,
                  "keys of users are never given to a VM: " + Quote(path.str()));
    }
  }
  return {};
}

Result<void> CheckExpected(const WantedGrant& wanted, const FileIdentity& found) {
  if (wanted.expected_ino == 0 ||
      (wanted.expected_ino == found.ino && wanted.expected_dev == found.dev)) {
    return {};
  }
  return Fail(ErrorCode::kConflict, "the file " + Quote(wanted.path) +
                                        " was replaced while it was being granted; look at it and "
                                        "grant it again");
}

struct NewName {
  fs::ResolvedFile directory;
  CanonicalPath path;
};

// For a create grant of a name that does not exist: the directory has to.
Result<NewName> ResolveNewName(const std::string& clean) {
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
  return NewName{std::move(*directory), std::move(*path)};
}

// A create grant may make its name anew after it was removed, so the directory is pinned too.
Result<std::optional<FileIdentity>> PinDirectory(const CanonicalPath& path, GrantAccess access) {
  if (access != GrantAccess::kCreate || path.IsRoot()) {
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

void AddAlias(const std::string& name, Grant* grant) {
  if (name != grant->path.str() &&
      std::find(grant->aliases.begin(), grant->aliases.end(), name) == grant->aliases.end()) {
    grant->aliases.push_back(name);
  }
}

// Every further spelling has to lead to the same file; for a name that does not exist yet, its
// directory to the same directory.
Result<void> AddWantedAliases(const WantedGrant& wanted, Grant* grant) {
  for (const std::string& alias : wanted.aliases) {
    const auto clean = LexicalClean(alias, "");
    if (!clean) {
      return tl::make_unexpected(clean.error());
    }
    const std::string subject = grant->identity ? *clean : clean->substr(0, clean->rfind('/'));
    const auto resolved = fs::ResolveFollowing(subject.empty() ? "/" : subject);
    const FileIdentity& pinned = grant->identity ? *grant->identity : *grant->directory;
    if (!resolved || !SameFile(pinned, resolved->identity)) {
      return Fail(ErrorCode::kConflict, "the name " + Quote(alias) + " does not lead to " +
                                            Quote(grant->path.str()) +
                                            "; it cannot be a second name for it");
    }
    AddAlias(*clean, grant);
  }
  return {};
}

Result<Grant> PinExisting(const WantedGrant& wanted, const fs::ResolvedFile& file) {
  if (auto expected = CheckExpected(wanted, file.identity); !expected) {
    return tl::make_unexpected(expected.error());
  }
  auto directory = PinDirectory(file.path, wanted.access);
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  Grant grant{.path = file.path};
  grant.identity = file.identity;
  grant.directory = std::move(*directory);
  return grant;
}

Result<Grant> PinFile(const WantedGrant& wanted, const std::string& clean) {
  const auto file = fs::ResolveFollowing(clean);
  if (file) {
    return PinExisting(wanted, *file);
  }
  if (file.error().code != ErrorCode::kNotFound || wanted.access != GrantAccess::kCreate) {
    return tl::make_unexpected(file.error());
  }
  auto name = ResolveNewName(clean);
  if (!name) {
    return tl::make_unexpected(name.error());
  }
  Grant grant{.path = std::move(name->path)};
  grant.directory = std::move(name->directory.identity);
  return grant;
}

}  // namespace

Result<Grant> ResolveGrant(const WantedGrant& wanted, const std::string& lease,
                           const Options& options) {
  const auto clean = LexicalClean(wanted.path, "");
  if (!clean) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot grant " + Quote(wanted.path) + ": " + clean.error().context);
  }
  auto grant = PinFile(wanted, *clean);
  if (!grant) {
    grant.error().context = "cannot grant " + Quote(wanted.path) + ": " + grant.error().context;
    return grant;
  }
  if (auto allowed = CheckNotForbidden(grant->path, options); !allowed) {
    return tl::make_unexpected(allowed.error());
  }
  AddAlias(*clean, &*grant);
  if (auto aliases = AddWantedAliases(wanted, &*grant); !aliases) {
    return tl::make_unexpected(aliases.error());
  }
  grant->lease = lease;
  grant->access = wanted.access;
  grant->source = wanted.source;
  grant->format = wanted.format;
  grant->role = wanted.role;
  grant->depth = wanted.depth;
  grant->shareable = wanted.shareable;
  grant->created_unix = ::time(nullptr);
  return grant;
}

}  // namespace openhook::server
