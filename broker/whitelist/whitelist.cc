// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/whitelist.h"

#include <algorithm>
#include <set>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::whitelist {

namespace {

Result<void> CheckWords(const Grant& grant) {
  if (auto lease = CheckLeaseName(grant.lease); !lease) {
    return lease;
  }
  if (grant.source.size() > limits::kMaxSourceBytes ||
      grant.format.size() > limits::kMaxSourceBytes ||
      grant.role.size() > limits::kMaxSourceBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                "source, format and role of a grant have at most 256 bytes each");
  }
  return {};
}

// What a VM makes is its own until somebody grants it to another.
Result<void> CheckShareable(const Grant& grant) {
  if (grant.shareable && grant.access == GrantAccess::kCreate) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot grant " + Quote(grant.path.str()) +
                    ": a name to be created is not shareable; grant the file with --write "
                    "--shareable once it is there");
  }
  return {};
}

// Which kinds of file can be given, and how.
Result<void> CheckKind(const Grant& grant) {
  const auto refuse = [&](const std::string& why) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot grant " + Quote(grant.path.str()) + ": " + why);
  };
  if (!grant.identity) {
    return grant.access == GrantAccess::kCreate && grant.directory
               ? Result<void>()
               : refuse("it does not exist; a name is granted with --create");
  }
  switch (grant.identity->kind) {
    case FileKind::kRegular:
      return {};
    case FileKind::kBlock:
    case FileKind::kCharacter:
    case FileKind::kFifo:
      return grant.access == GrantAccess::kCreate
                 ? refuse("only regular files and directories take --create")
                 : Result<void>();
    case FileKind::kDirectory:
      return grant.access == GrantAccess::kCreate
                 ? Result<void>()
                 : refuse(
                       "it is a directory; grant files in it, or --create for making some there");
    case FileKind::kOther:
      break;
  }
  return refuse("it is neither a regular file, a device, a FIFO nor a directory");
}

std::shared_ptr<const std::vector<std::string>> LeaseNames(
    const std::vector<const Grant*>& grants) {
  std::set<std::string> names;
  for (const Grant* grant : grants) {
    names.insert(grant->lease);
  }
  return std::make_shared<std::vector<std::string>>(names.begin(), names.end());
}

void Widen(Entry* entry, const Grant& grant) {
  if (grant.identity) {
    entry->identity = grant.identity;
  }
  if (grant.directory) {
    entry->directory = grant.directory;
  }
  const bool directory = grant.identity && grant.identity->kind == FileKind::kDirectory;
  entry->readable = entry->readable || !directory;
  entry->may_block = entry->may_block || grant.may_block;
  if (grant.ended_unix != 0) {
    return;
  }
  entry->writable = entry->writable || (!directory && grant.access != GrantAccess::kRead);
  entry->creatable = entry->creatable || grant.access == GrantAccess::kCreate;
}

}  // namespace

Whitelist::Whitelist(Contents contents) {
  Change all;
  all.generation = contents.generation;
  all.added = std::move(contents.grants);
  all.created = std::move(contents.created);
  all.chains = std::move(contents.chains);
  all.jobs = std::move(contents.jobs);
  Apply(all);
}

// A name must not mean two files. It does when a symlink was turned since an earlier grant.
Result<void> Whitelist::CheckAliases(const Grant& grant) const {
  for (const std::string& alias : grant.aliases) {
    const auto known = aliases_.find(alias);
    const bool other_target = known != aliases_.end() && known->second.path != grant.path;
    if (other_target || (alias != grant.path.str() && entries_.contains(alias))) {
      const std::string& target = other_target ? known->second.path.str() : alias;
      return Fail(ErrorCode::kConflict, "the name " + Quote(alias) + " is already granted for " +
                                            Quote(target) + " and leads to " +
                                            Quote(grant.path.str()) + " now; revoke " +
                                            Quote(target) + " first, then grant again");
    }
  }
  return {};
}

const Grant* Whitelist::FindLive(std::string_view lease, const CanonicalPath& path) const {
  for (const Grant* other : GrantsOf(path)) {
    if (other->lease == lease && other->ended_unix == 0) {
      return other;
    }
  }
  return nullptr;
}

std::vector<Grant> Whitelist::OutdatedBy(const Grant& grant) const {
  std::vector<Grant> outdated;
  for (const Grant* other : GrantsOf(grant.path)) {
    const bool replaced = other->lease == grant.lease && other->ended_unix == 0;
    if (!replaced && !other->stale && other->identity && grant.identity &&
        !SameFile(*other->identity, *grant.identity)) {
      outdated.push_back(*other);
      outdated.back().stale = true;
    }
  }
  return outdated;
}

Result<Change> Whitelist::PlanGrants(std::vector<Grant> grants) const {
  Change change;
  change.generation = generation_ + 1;
  GrantId next = next_id_;
  std::set<std::pair<std::string, CanonicalPath>> seen;
  for (Grant& grant : grants) {
    for (const auto& check :
         {CheckWords(grant), CheckKind(grant), CheckShareable(grant), CheckAliases(grant)}) {
      if (!check) {
        return tl::make_unexpected(check.error());
      }
    }
    if (!seen.emplace(grant.lease, grant.path).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the request names " + Quote(grant.path.str()) + " twice for one lease");
    }
    if (const Grant* same = FindLive(grant.lease, grant.path)) {
      change.removed.push_back(same->id);
    }
    for (Grant& outdated : OutdatedBy(grant)) {
      change.removed.push_back(outdated.id);
      change.added.push_back(std::move(outdated));
    }
    grant.id = next++;
    change.added.push_back(std::move(grant));
  }
  if (grants_.size() + change.added.size() - change.removed.size() > limits::kMaxGrants) {
    return Fail(ErrorCode::kLimit, "a VM has at most " + std::to_string(limits::kMaxGrants) +
                                       " grants; revoke leases that are over");
  }
  return change;
}

Change Whitelist::PlanCreated(CreatedFile file) const {
  Change change;
  change.generation = generation_ + 1;
  if (created_.contains(file.path)) {
    change.forgotten.push_back(file.path);
  }
  change.created.push_back(std::move(file));
  return change;
}

Change Whitelist::PlanForgotten(const CanonicalPath& path) const {
  Change change;
  change.generation = generation_ + 1;
  change.forgotten.push_back(path);
  return change;
}

void Whitelist::Apply(const Change& change) {
  for (const GrantId id : change.removed) {
    RemoveGrant(id);
  }
  for (const Grant& grant : change.added) {
    AddGrant(grant);
  }
  for (const CanonicalPath& path : change.forgotten) {
    ForgetCreated(path);
  }
  for (const CreatedFile& file : change.created) {
    if (created_.insert_or_assign(file.path, file).second) {
      CountDirectories(file.path, 1);
    }
    RebuildEntry(file.path);
  }
  for (const std::string& disk : change.forgotten_chains) {
    chains_.erase(disk);
  }
  for (const ChainRecord& chain : change.chains) {
    chains_.insert_or_assign(chain.disk, chain);
  }
  for (const std::string& id : change.forgotten_jobs) {
    jobs_.erase(id);
  }
  for (const Job& job : change.jobs) {
    jobs_.insert_or_assign(job.request.id, job);
  }
  generation_ = change.generation;
}

void Whitelist::AddGrant(const Grant& grant) {
  grants_.insert_or_assign(grant.id, grant);
  if (grant.ended_unix != 0) {
    ended_.insert(grant.id);
  } else {
    by_lease_[grant.lease].insert(grant.id);
  }
  next_id_ = std::max(next_id_, grant.id + 1);
  by_path_[grant.path].push_back(grant.id);
  for (const std::string& alias : grant.aliases) {
    auto [target, inserted] = aliases_.try_emplace(alias, AliasTarget{grant.path, 0});
    ++target->second.uses;
  }
  CountDirectories(grant.path, 1);
  RebuildEntry(grant.path);
}

void Whitelist::RemoveGrant(GrantId id) {
  const auto it = grants_.find(id);
  CheckOrDie(it != grants_.end(), "a change removes a grant that exists");
  const Grant grant = std::move(it->second);
  grants_.erase(it);
  ended_.erase(id);
  if (const auto lease = by_lease_.find(grant.lease); lease != by_lease_.end()) {
    lease->second.erase(id);
    if (lease->second.empty()) {
      by_lease_.erase(lease);
    }
  }
  std::erase(by_path_[grant.path], id);
  for (const std::string& alias : grant.aliases) {
    const auto target = aliases_.find(alias);
    if (--target->second.uses == 0) {
      aliases_.erase(target);
    }
  }
  CountDirectories(grant.path, -1);
  RebuildEntry(grant.path);
}

void Whitelist::ForgetCreated(const CanonicalPath& path) {
  if (created_.erase(path) != 0) {
    CountDirectories(path, -1);
    RebuildEntry(path);
  }
}

void Whitelist::CountDirectories(const CanonicalPath& path, int by) {
  for (CanonicalPath dir = path.Parent(); !dir.IsRoot(); dir = dir.Parent()) {
    int& uses = directories_[dir.str()];
    uses += by;
    if (uses == 0) {
      directories_.erase(dir.str());
    }
  }
}

void Whitelist::RebuildEntry(const CanonicalPath& path) {
  const std::vector<const Grant*> grants = GrantsOf(path);
  const auto created = created_.find(path);
  if (grants.empty() && created == created_.end()) {
    by_path_.erase(path);
    entries_.erase(path.str());
    return;
  }
  auto entry = std::make_unique<Entry>(Entry{.path = path});
  entry->leases = LeaseNames(grants);
  entry->stale = entry->ended = true;
  for (const Grant* grant : grants) {
    if (!grant->stale) {
      entry->stale = false;
      entry->ended = entry->ended && grant->ended_unix != 0;
      Widen(entry.get(), *grant);
    }
  }
  entry->ended = entry->ended && !entry->stale;
  // A file pinned by a grant that is not the one the VM once made replaced it.
  if (created != created_.end() &&
      (!entry->identity || SameFile(*entry->identity, created->second.identity))) {
    const CreatedFile& file = created->second;
    entry->stale = entry->ended = false;
    entry->identity = file.identity;
    entry->directory = file.directory;
    entry->readable = entry->writable = entry->creatable = entry->created_by_vm = true;
    entry->token = file.token;
    // A file that was made under a directory's grant has none of its own.
    for (const Grant* grant : GrantsOf(path.Parent())) {
      entry->may_block = entry->may_block || grant->may_block;
    }
    if (grants.empty()) {
      entry->leases = std::make_shared<std::vector<std::string>>(1, file.lease);
    }
  }
  entries_.insert_or_assign(path.str(), std::move(entry));
}

Whitelist::Found Whitelist::Find(const std::string& clean_name) const {
  if (const auto entry = entries_.find(clean_name); entry != entries_.end()) {
    return {entry->second.get(), false};
  }
  if (const auto alias = aliases_.find(clean_name); alias != aliases_.end()) {
    return {entries_.at(alias->second.path.str()).get(), true};
  }
  return {};
}

const ChainRecord* Whitelist::FindChain(const std::string& disk_or_path) const {
  if (const auto chain = chains_.find(disk_or_path); chain != chains_.end()) {
    return &chain->second;
  }
  const auto path = CanonicalPath::Parse(disk_or_path);
  if (!path) {
    return nullptr;
  }
  const auto with_it = std::find_if(chains_.begin(), chains_.end(), [&](const auto& chain) {
    return chain.second.Find(*path).has_value();
  });
  return with_it == chains_.end() ? nullptr : &with_it->second;
}

bool Whitelist::IsKnownDirectory(std::string_view directory) const {
  return directories_.contains(std::string(directory));
}

std::size_t Whitelist::LeaseCount() const { return by_lease_.size(); }

std::vector<GrantId> Whitelist::GrantsOfLease(std::string_view lease) const {
  const auto ids = by_lease_.find(lease);
  return ids == by_lease_.end() ? std::vector<GrantId>()
                                : std::vector<GrantId>(ids->second.begin(), ids->second.end());
}

std::vector<const Grant*> Whitelist::GrantsOf(const CanonicalPath& path) const {
  std::vector<const Grant*> found;
  const auto ids = by_path_.find(path);
  if (ids != by_path_.end()) {
    for (const GrantId id : ids->second) {
      found.push_back(&grants_.at(id));
    }
  }
  return found;
}

}  // namespace openhook::whitelist
