// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/write_locks.h"

#include <sys/stat.h>

#include <utility>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/lock_name.h"
#include "broker/server/descriptor_limit.h"

namespace openhook::server {

namespace {

using fs::LockMode;
using whitelist::Change;
using whitelist::CreatedFile;
using whitelist::Grant;
using whitelist::GrantAccess;
using whitelist::Whitelist;

constexpr const char* kRemedy =
    "; revoke it there first, or, if it is made for several VMs that write to it at the same time, "
    "grant it to each of them with --shareable";

}  // namespace

Result<WriteLocks> WriteLocks::Open(std::string directory, std::string vm) {
  if (auto made = fs::EnsurePrivateDirectory(directory, S_IRWXU); !made) {
    return tl::make_unexpected(made.error());
  }
  return WriteLocks(std::move(directory), std::move(vm));
}

std::optional<LockMode> WriteLocks::NeededBy(const Claims& claims) {
  if (claims.exclusive > 0) {
    return LockMode::kExclusive;
  }
  return claims.shared > 0 ? std::optional(LockMode::kShared) : std::nullopt;
}

bool WriteLocks::Lacks(const File& file) {
  const auto needed = NeededBy(file.claims);
  return needed && (!file.lock || file.lock->mode() < *needed);
}

// The claims on a file as they will be after the change; null for what is never locked.
WriteLocks::Claims* WriteLocks::Find(ClaimsByName* changed, const FileIdentity& identity) {
  const auto name = fs::LockName(identity);
  if (!name) {
    return nullptr;
  }
  const auto known = files_.find(*name);
  return &changed->try_emplace(*name, known != files_.end() ? known->second.claims : Claims())
              .first->second;
}

void WriteLocks::Count(ClaimsByName* changed, const Grant& grant, int by) {
  Claims* claims = grant.access != GrantAccess::kRead && grant.identity
                       ? Find(changed, *grant.identity)
                       : nullptr;
  if (claims != nullptr) {
    claims->path = grant.path.str();
    (grant.stale ? claims->kept : grant.shareable ? claims->shared : claims->exclusive) += by;
  }
}

void WriteLocks::CountCreated(ClaimsByName* changed, const CreatedFile& created, int by) {
  if (Claims* claims = Find(changed, created.identity)) {
    claims->path = created.path.str();
    claims->exclusive += by;
  }
}

// Takes what `claims` need, and gives nothing up.
Result<void> WriteLocks::Raise(const std::string& name, const Claims& claims) {
  const auto needed = NeededBy(claims);
  File& file = files_[name];
  Result<void> done;
  if (needed && !file.lock) {
    if (files_.size() > WriteLockCapacity()) {
      return Fail(ErrorCode::kLimit, "this broker holds " + std::to_string(WriteLockCapacity()) +
                                         " files and disks for writing, and can hold no more; "
                                         "revoke leases that are over, or raise its limit of open "
                                         "files (LimitNOFILE)");
    }
    auto lock = fs::WriteLock::Take(directory_ + "/" + name, *needed, {vm_, claims.path});
    if (lock) {
      file.lock = std::move(*lock);
    } else {
      done = tl::make_unexpected(lock.error());
    }
  } else if (needed && file.lock->mode() < *needed) {
    done = file.lock->ChangeTo(*needed);
  }
  if (!done && done.error().code == ErrorCode::kConflict) {
    done.error().context =
        "cannot let this VM write to " + Quote(claims.path) + ": " + done.error().context + kRemedy;
  }
  return done;
}

// Gives up what a file's claims do not need.
void WriteLocks::Fit(const std::string& name) {
  const auto found = files_.find(name);
  if (found == files_.end()) {
    return;
  }
  File& file = found->second;
  const auto needed = NeededBy(file.claims);
  if (!needed && file.claims.kept == 0) {
    files_.erase(found);
    missing_.erase(name);
    return;
  }
  if (needed && file.claims.kept == 0 && file.lock && *needed < file.lock->mode()) {
    // Cannot fail: nobody else can have a lock beside an exclusive one.
    (void)file.lock->ChangeTo(*needed);
  }
  if (Lacks(file)) {
    missing_.insert(name);
  } else {
    missing_.erase(name);
  }
}

std::vector<WriteLocks::Missing> WriteLocks::Restore(const Whitelist& whitelist) {
  ClaimsByName claims;
  for (const auto& [id, grant] : whitelist.grants()) {
    Count(&claims, grant, 1);
  }
  for (const auto& [path, created] : whitelist.created()) {
    CountCreated(&claims, created, 1);
  }
  std::vector<Missing> missing;
  for (auto& [name, wanted] : claims) {
    if (auto raised = Raise(name, wanted); !raised) {
      missing.push_back({wanted.path, std::move(raised.error())});
    }
    files_[name].claims = std::move(wanted);
    Fit(name);
  }
  return missing;
}

Result<WriteLocks::Pending> WriteLocks::Prepare(const Whitelist& before, const Change& change) {
  ClaimsByName changed;
  for (const auto id : change.removed) {
    Count(&changed, before.grants().at(id), -1);
  }
  for (const auto& path : change.forgotten) {
    CountCreated(&changed, before.created().at(path), -1);
  }
  for (const Grant& grant : change.added) {
    Count(&changed, grant, 1);
  }
  for (const CreatedFile& created : change.created) {
    CountCreated(&changed, created, 1);
  }
  Pending pending(this, std::move(changed));
  for (const auto& [name, claims] : pending.changed_) {
    // The end of a lease or a job only moves what the VM has: it is not refused for a lock that is
    // missing.
    if (NeededBy(claims) <= NeededBy(files_[name].claims)) {
      continue;
    }
    if (auto raised = Raise(name, claims); !raised) {
      return tl::make_unexpected(raised.error());
    }
  }
  return pending;
}

Result<void> WriteLocks::Ensure(const FileIdentity& identity) {
  if (missing_.empty()) {
    return {};
  }
  const auto name = fs::LockName(identity);
  if (!name || !missing_.contains(*name)) {
    return {};
  }
  auto raised = Raise(*name, files_.at(*name).claims);
  Fit(*name);
  return raised;
}

WriteLocks::Pending::Pending(Pending&& other) noexcept
    : locks_(std::exchange(other.locks_, nullptr)), changed_(std::move(other.changed_)) {}

WriteLocks::Pending::~Pending() {
  if (locks_ != nullptr) {
    for (const auto& [name, claims] : changed_) {
      locks_->Fit(name);
    }
  }
}

void WriteLocks::Pending::Commit() {
  for (const auto& [name, claims] : changed_) {
    locks_->files_[name].claims = claims;
  }
}

std::string WriteLocks::OtherWriter(const FileIdentity& identity) const {
  const auto name = fs::LockName(identity);
  return name ? fs::WriteLock::OtherHolder(directory_ + "/" + *name, vm_) : std::string();
}

WriteLocks& WriteLocks::operator=(WriteLocks&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(vm_, other.vm_);
  std::swap(files_, other.files_);
  std::swap(missing_, other.missing_);
  return *this;
}

WriteLocks::~WriteLocks() {
  for (auto& [name, file] : files_) {
    if (file.lock) {
      file.lock->Leave();
    }
  }
}

}  // namespace openhook::server
