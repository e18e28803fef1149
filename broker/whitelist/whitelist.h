// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What one VM may do: the grants of its live leases, and the files that it created. Pure: it never
// touches the file system, so every rule can be tested as a table. A change is computed first
// (PlanGrants, PlanRevoke), made durable by the store, and only then applied, in one step that
// cannot fail: readers see the old whitelist or the new one.

#ifndef BROKER_WHITELIST_WHITELIST_H_
#define BROKER_WHITELIST_WHITELIST_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"
#include "broker/whitelist/grant.h"

namespace openhook::whitelist {

// The union of what all live leases say about one file, ready for decisions.
struct Entry {
  CanonicalPath path;
  std::optional<FileIdentity> identity;  // absent: a name to be created
  std::optional<FileIdentity> directory;
  bool readable = false;
  bool writable = false;
  bool creatable = false;  // the name may be made and truncated; or: files in this directory
  bool created_by_vm = false;
  bool stale = false;       // only stale grants are left
  std::uint64_t token = 0;  // with created_by_vm
  std::shared_ptr<const std::vector<std::string>> leases;
};

// Everything that one durable change does. The generation is the whitelist's after it.
struct Change {
  std::uint64_t generation = 0;
  std::vector<GrantId> removed;
  std::vector<Grant> added;
  std::vector<CanonicalPath> forgotten;  // created files whose record goes
  std::vector<CreatedFile> created;
};

class Whitelist {
 public:
  Whitelist() = default;
  // As loaded from the store.
  Whitelist(std::uint64_t generation, std::vector<Grant> grants, std::vector<CreatedFile> created);

  // A grant replaces the one that its lease already has for the same path (so repeating a request
  // changes nothing but the pin). Grants of other leases that were pinned to another file under
  // this path become stale. Errors: kInvalidArgument, kLimit; then nothing is to be changed.
  [[nodiscard]] Result<Change> PlanGrants(std::vector<Grant> grants) const;

  // Takes `paths` (canonical or as an alias; empty: all) out of `lease` (empty: out of every
  // lease). Errors: kNotFound naming what is not there.
  [[nodiscard]] Result<Change> PlanRevoke(std::string_view lease,
                                          const std::vector<std::string>& paths) const;

  [[nodiscard]] Change PlanCreated(CreatedFile file) const;
  [[nodiscard]] Change PlanForgotten(const CanonicalPath& path) const;

  void Apply(const Change& change);

  // The entry that a cleaned name leads to; `alias` tells whether it is not the canonical path.
  struct Found {
    const Entry* entry = nullptr;
    bool alias = false;
  };
  [[nodiscard]] Found Find(const std::string& clean_name) const;
  // True when a granted path lies below `directory`: such a directory was free of symlinks when its
  // file's path was resolved, so ".." may be folded over it.
  [[nodiscard]] bool IsKnownDirectory(std::string_view directory) const;

  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] const std::map<GrantId, Grant>& grants() const { return grants_; }
  [[nodiscard]] const std::map<CanonicalPath, CreatedFile>& created() const { return created_; }
  [[nodiscard]] std::size_t LeaseCount() const;
  [[nodiscard]] std::vector<const Grant*> GrantsOf(const CanonicalPath& path) const;

 private:
  [[nodiscard]] Result<void> CheckAliases(const Grant& grant) const;
  [[nodiscard]] const Grant* FindSame(const Grant& grant) const;
  [[nodiscard]] std::vector<Grant> OutdatedBy(const Grant& grant) const;
  void ForgetCreated(const CanonicalPath& path);
  void AddGrant(const Grant& grant);
  void RemoveGrant(GrantId id);
  void CountDirectories(const CanonicalPath& path, int by);
  void RebuildEntry(const CanonicalPath& path);

  std::uint64_t generation_ = 0;
  GrantId next_id_ = 1;
  std::map<GrantId, Grant> grants_;
  std::map<CanonicalPath, CreatedFile> created_;
  // Derived from the two above, for lookups whose cost does not depend on their size.
  std::unordered_map<CanonicalPath, std::vector<GrantId>> by_path_;
  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
  struct AliasTarget {
    CanonicalPath path;
    int uses = 0;
  };
  std::unordered_map<std::string, AliasTarget> aliases_;
  std::unordered_map<std::string, int> directories_;
};

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_WHITELIST_H_
