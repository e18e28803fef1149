// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Keeps two brokers of one host from letting two VMs write to one file: a lock for each file or
// disk that the whitelist lets this VM write to (and for those that it still holds after a lease
// ended), shared by all grants and names of that file. Taken before a grant is committed; let go
// after the last such grant is gone. A lock that another VM took while this broker was away is
// missing: the VM goes on, but opens nothing for writing there until the lock can be had.

#ifndef BROKER_SERVER_WRITE_LOCKS_H_
#define BROKER_SERVER_WRITE_LOCKS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/base/file_identity.h"
#include "broker/base/result.h"
#include "broker/fs/write_lock.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::server {

class WriteLocks {
 public:
  // Makes the directory, or accepts it. Errors: it is not ours alone.
  static Result<WriteLocks> Open(std::string directory, std::string vm);

  // A lock that could not be had, of a file that the VM knows as `path`.
  struct Missing {
    std::string path;
    Error error;
  };
  // Takes what a stored whitelist needs, as far as it can be had.
  std::vector<Missing> Restore(const whitelist::Whitelist& whitelist);

  // The locks of a change that is under way. Ends as it began unless it is committed.
  class Pending;
  // Takes the locks for write access that `change` adds to `before`. Errors, then nothing is
  // changed: kConflict naming the other VM and the remedy; kLimit.
  Result<Pending> Prepare(const whitelist::Whitelist& before, const whitelist::Change& change);

  // Before a file is opened for writing: tries again where the lock is missing. Errors as
  // Prepare().
  Result<void> Ensure(const FileIdentity& identity);

  // Another VM that may write to this file, as far as the lock directory knows: also one whose
  // broker does not run. Empty: none.
  [[nodiscard]] std::string OtherWriter(const FileIdentity& identity) const;

  WriteLocks(WriteLocks&&) noexcept = default;
  WriteLocks& operator=(WriteLocks&& other) noexcept;
  WriteLocks(const WriteLocks&) = delete;
  WriteLocks& operator=(const WriteLocks&) = delete;
  // The lock files stay, and say whose the files are.
  ~WriteLocks();

 private:
  // How many grants and created files ask for the lock of one file.
  struct Claims {
    int exclusive = 0;
    int shared = 0;
    int kept = 0;      // stale: takes no lock, but keeps one
    std::string path;  // for the note that other VMs' administrators will read
  };
  struct File {
    Claims claims;
    std::optional<fs::WriteLock> lock;
  };
  using ClaimsByName = std::map<std::string, Claims>;

  WriteLocks(std::string directory, std::string vm)
      : directory_(std::move(directory)), vm_(std::move(vm)) {}
  static std::optional<fs::LockMode> NeededBy(const Claims& claims);
  static bool Lacks(const File& file);
  Claims* Find(ClaimsByName* changed, const FileIdentity& identity);
  void Count(ClaimsByName* changed, const whitelist::Grant& grant, int by);
  void CountCreated(ClaimsByName* changed, const whitelist::CreatedFile& created, int by);
  Result<void> Raise(const std::string& name, const Claims& claims);
  void Fit(const std::string& name);

  std::string directory_;
  std::string vm_;
  std::map<std::string, File> files_;  // by lock name
  std::set<std::string> missing_;
};

class WriteLocks::Pending {
 public:
  Pending(Pending&& other) noexcept;
  Pending& operator=(Pending&&) = delete;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  // Gives back what was taken, or, once committed, what is not needed any more.
  ~Pending();

  // The change is durable and in force.
  void Commit();

 private:
  friend class WriteLocks;
  Pending(WriteLocks* locks, ClaimsByName changed) : locks_(locks), changed_(std::move(changed)) {}

  WriteLocks* locks_;
  ClaimsByName changed_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_WRITE_LOCKS_H_
