// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/recovery.h"

#include <unistd.h>

#include "broker/fs/identity.h"
#include "broker/fs/open.h"
#include "broker/fs/resolve.h"

namespace openhook::server {

namespace {

using whitelist::Change;
using whitelist::CreatedFile;
using whitelist::Grant;

std::optional<FileIdentity> Repin(const CanonicalPath& path, const FileIdentity& pinned) {
  const auto file = fs::ResolveNoSymlinks(path);
  if (!file) {
    return std::nullopt;
  }
  auto now = fs::IdentityOf(*file, fs::HandleUse::kRead);
  if (!now || !SameFileAcrossMounts(pinned, *now)) {
    return std::nullopt;
  }
  return std::move(*now);
}

Grant ConfirmGrant(Grant grant) {
  if (grant.identity) {
    const auto now = Repin(grant.path, *grant.identity);
    grant.stale = grant.stale || !now;
    grant.identity = now ? now : grant.identity;
  }
  if (grant.directory) {
    const auto now = Repin(grant.path.Parent(), *grant.directory);
    grant.stale = grant.stale || !now;
    grant.directory = now ? now : grant.directory;
  }
  return grant;
}

// A created file that cannot be confirmed is simply not the VM's any more.
void ConfirmCreated(const CreatedFile& file, Change* change) {
  change->forgotten.push_back(file.path);
  const auto identity = Repin(file.path, file.identity);
  const auto directory = Repin(file.path.Parent(), file.directory);
  if (identity && directory) {
    change->created.push_back({file.path, file.lease, *identity, *directory, file.token});
  }
}

// The file of an unfinished creation, if it can be nothing else.
std::optional<FileIdentity> FindUnfinished(const store::Creating& creating) {
  const auto directory = fs::ResolvePinned(creating.path.Parent(), creating.directory);
  const auto file = fs::ResolveNoSymlinks(creating.path);
  if (!directory || !file) {
    return std::nullopt;
  }
  const auto info = fs::StatOf(*file);
  if (!info || !S_ISREG(info->st_mode) || info->st_size != 0 || info->st_nlink != 1 ||
      info->st_uid != ::geteuid()) {
    return std::nullopt;
  }
  auto identity = fs::IdentityOf(*file, fs::HandleUse::kRead);
  return identity ? std::optional<FileIdentity>(std::move(*identity)) : std::nullopt;
}

}  // namespace

Result<void> ConfirmIdentities(store::Store* store, store::Loaded* loaded) {
  const auto boot_id = fs::BootId();
  if (!boot_id) {
    return tl::make_unexpected(boot_id.error());
  }
  if (loaded->boot_id == *boot_id) {
    return {};
  }
  Change change;
  change.generation = loaded->whitelist.generation() + 1;
  for (const auto& [id, grant] : loaded->whitelist.grants()) {
    change.removed.push_back(id);
    change.added.push_back(ConfirmGrant(grant));
  }
  for (const auto& [path, file] : loaded->whitelist.created()) {
    ConfirmCreated(file, &change);
  }
  if (!change.removed.empty() || !change.forgotten.empty()) {
    if (auto saved = store->Save(change); !saved) {
      return saved;
    }
    loaded->whitelist.Apply(change);
  }
  return store->SaveBootId(*boot_id);
}

Result<void> FinishCreating(store::Store* store, store::Loaded* loaded) {
  if (!loaded->creating) {
    return {};
  }
  const store::Creating& creating = *loaded->creating;
  const auto identity = FindUnfinished(creating);
  if (!identity) {
    return store->SaveCreated(nullptr);
  }
  const Change change = loaded->whitelist.PlanCreated(
      {creating.path, creating.lease, *identity, creating.directory, creating.token});
  if (auto saved = store->SaveCreated(&change); !saved) {
    return saved;
  }
  loaded->whitelist.Apply(change);
  return {};
}

}  // namespace openhook::server
