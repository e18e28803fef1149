// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/ending.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace openhook::whitelist {

namespace {

struct Rights {
  bool read = false;
  bool write = false;
};

// What live leases give once a change is in force.
class RightsAfter {
 public:
  RightsAfter(const Whitelist& whitelist, const Change& change)
      : whitelist_(whitelist),
        removed_(change.removed.begin(), change.removed.end()),
        forgotten_(change.forgotten.begin(), change.forgotten.end()) {
    for (const Grant& grant : change.added) {
      Add(grant, &added_[grant.path]);
    }
  }

  [[nodiscard]] Rights Of(const CanonicalPath& path) const {
    if (whitelist_.created().contains(path) && !forgotten_.contains(path)) {
      return {true, true};
    }
    const auto added = added_.find(path);
    Rights rights = added == added_.end() ? Rights{} : added->second;
    for (const Grant* grant : whitelist_.GrantsOf(path)) {
      if (!removed_.contains(grant->id)) {
        Add(*grant, &rights);
      }
    }
    return rights;
  }

  [[nodiscard]] bool Removes(GrantId id) const { return removed_.contains(id); }

 private:
  static void Add(const Grant& grant, Rights* rights) {
    if (grant.ended_unix == 0 && !grant.stale) {
      rights->read = true;
      rights->write = rights->write || grant.access != GrantAccess::kRead;
    }
  }

  const Whitelist& whitelist_;
  std::unordered_set<GrantId> removed_;
  std::unordered_set<CanonicalPath> forgotten_;
  std::unordered_map<CanonicalPath, Rights> added_;
};

bool HoldsMore(Held held, const Rights& rights) {
  return (held != Held::kNot && !rights.read) || (held == Held::kForWriting && !rights.write);
}

bool MayBeHeld(const Grant& grant) {
  return !grant.stale && grant.identity && grant.identity->kind != FileKind::kDirectory &&
         grant.identity->kind != FileKind::kOther;
}

Grant OfOwnFile(const CreatedFile& file) {
  Grant grant{.path = file.path};
  grant.lease = file.lease;
  grant.access = GrantAccess::kReadWrite;
  grant.identity = file.identity;
  return grant;
}

// Everything that the change takes away, as grants; those that gave writing first, since one is
// kept for each file.
std::vector<Grant> TakenAway(const Whitelist& whitelist, const Change& change) {
  std::vector<Grant> writing;
  std::vector<Grant> reading;
  for (const GrantId id : change.removed) {
    const Grant& grant = whitelist.grants().at(id);
    if (grant.ended_unix == 0 && MayBeHeld(grant)) {
      (grant.access == GrantAccess::kRead ? reading : writing).push_back(grant);
    }
  }
  for (const CanonicalPath& path : change.forgotten) {
    writing.push_back(OfOwnFile(whitelist.created().at(path)));
  }
  writing.insert(writing.end(), reading.begin(), reading.end());
  return writing;
}

GrantId NextId(const Whitelist& whitelist, const Change& change) {
  GrantId next = whitelist.next_id();
  for (const Grant& grant : change.added) {
    next = std::max(next, grant.id + 1);
  }
  return next;
}

}  // namespace

void KeepWhatIsHeld(const Whitelist& whitelist, const HeldProbe& probe, std::int64_t now_unix,
                    Change* change) {
  const RightsAfter after(whitelist, *change);
  GrantId next = NextId(whitelist, *change);
  std::set<CanonicalPath> kept;
  for (Grant& grant : TakenAway(whitelist, *change)) {
    const Rights rights = after.Of(grant.path);
    if (rights.write || kept.contains(grant.path) || !HoldsMore(probe(*grant.identity), rights)) {
      continue;
    }
    kept.insert(grant.path);
    for (const Grant* earlier : whitelist.GrantsOf(grant.path)) {
      if (earlier->ended_unix != 0 && !after.Removes(earlier->id)) {
        change->removed.push_back(earlier->id);
      }
    }
    grant.id = next++;
    grant.ended_unix = now_unix;
    change->added.push_back(std::move(grant));
  }
}

Change PlanLetGo(const Whitelist& whitelist, const HeldProbe& probe) {
  const RightsAfter after(whitelist, {});
  Change change;
  for (const GrantId id : whitelist.ended()) {
    const Grant& grant = whitelist.grants().at(id);
    if (!MayBeHeld(grant) || !HoldsMore(probe(*grant.identity), after.Of(grant.path))) {
      change.removed.push_back(id);
    }
  }
  change.generation = whitelist.generation() + (change.removed.empty() ? 0 : 1);
  return change;
}

}  // namespace openhook::whitelist
