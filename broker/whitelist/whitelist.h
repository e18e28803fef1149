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
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"
#include "broker/whitelist/chain_record.h"
#include "broker/whitelist/grant.h"
#include "broker/whitelist/job.h"

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
  bool ended = false;       // only grants of ended leases are left, kept until the VM lets go
  bool may_block = false;   // its file system may not answer
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
  std::vector<ChainRecord> chains;            // put in place of the one of the same disk
  std::vector<std::string> forgotten_chains;  // by disk
  std::vector<Job> jobs;                      // put in place of the one with the same id
  std::vector<std::string> forgotten_jobs;    // by id

  [[nodiscard]] bool IsEmpty() const {
    return removed.empty() && added.empty() && forgotten.empty() && created.empty() &&
           chains.empty() && forgotten_chains.empty() && jobs.empty() && forgotten_jobs.empty();
  }
};

// What a store holds.
struct Contents {
  std::uint64_t generation = 0;
  std::vector<Grant> grants;
  std::vector<CreatedFile> created;
  std::vector<ChainRecord> chains;
  std::vector<Job> jobs;
};

class Whitelist {
 public:
  Whitelist() = default;
  // As loaded from the store.
  explicit Whitelist(Contents contents);

  // A grant replaces the one that its lease already has for the same path (so repeating a request
  // changes nothing but the pin). Grants of other leases that were pinned to another file under
  // this path become stale. Errors: kInvalidArgument, kLimit; then nothing is to be changed.
  [[nodiscard]] Result<Change> PlanGrants(std::vector<Grant> grants) const;

  // Takes `paths` (canonical or as an alias; empty: all) out of `lease` (empty: out of every
  // lease). Errors: kNotFound naming what is not there; kInvalidArgument for the lease of a job
  // that runs.
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
  [[nodiscard]] const std::map<std::string, ChainRecord>& chains() const { return chains_; }
  [[nodiscard]] const std::map<std::string, Job>& jobs() const { return jobs_; }
  // The record of the disk with this name or, failing that, of the one whose chain has an image of
  // this path. Null: there is none.
  [[nodiscard]] const ChainRecord* FindChain(const std::string& disk_or_path) const;
  // Grants of ended leases, kept because the VM holds their files.
  [[nodiscard]] const std::set<GrantId>& ended() const { return ended_; }
  // An id that no grant has yet.
  [[nodiscard]] GrantId next_id() const { return next_id_; }
  [[nodiscard]] std::size_t LeaseCount() const;
  [[nodiscard]] std::vector<const Grant*> GrantsOf(const CanonicalPath& path) const;
  // The grant that a live lease has for this path; null: none.
  [[nodiscard]] const Grant* FindLive(std::string_view lease, const CanonicalPath& path) const;
  // Ids of what a live lease gives, rising.
  [[nodiscard]] std::vector<GrantId> GrantsOfLease(std::string_view lease) const;

 private:
  [[nodiscard]] Result<void> CheckAliases(const Grant& grant) const;
  [[nodiscard]] Result<void> CheckLeaseMayEnd(std::string_view lease) const;
  [[nodiscard]] std::vector<std::string> ChainsWithoutGrants(
      const std::set<GrantId>& removed) const;
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
  std::map<std::string, ChainRecord> chains_;  // by disk
  std::map<std::string, Job> jobs_;            // by id
  // Derived from the first two above, for lookups whose cost does not depend on their size.
  std::unordered_map<CanonicalPath, std::vector<GrantId>> by_path_;
  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
  struct AliasTarget {
    CanonicalPath path;
    int uses = 0;
  };
  std::unordered_map<std::string, AliasTarget> aliases_;
  std::unordered_map<std::string, int> directories_;
  std::map<std::string, std::set<GrantId>, std::less<>> by_lease_;  // live grants only
  std::set<GrantId> ended_;
};

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_WHITELIST_H_
