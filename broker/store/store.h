// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The whitelist on disk: one SQLite file per VM. A Change is written in one transaction and is
// durable (WAL, synchronous=FULL: the commit is fsynced) when Save() returns; after kill -9 or a
// power cut the file holds the whitelist before it or after it, never a mixture. A change that
// could not be saved is taken off the disk again before anybody is told; while that fails too, the
// store is in doubt and takes no other. The file is held with an exclusive lock, so one VM has one
// broker.

#ifndef BROKER_STORE_STORE_H_
#define BROKER_STORE_STORE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/whitelist/whitelist.h"

namespace SQLite {
class Database;
}  // namespace SQLite

namespace openhook::store {

// A file that is being created at this moment: written before the file is made, so that a crash in
// between leaves no file that nobody answers for.
struct Creating {
  CanonicalPath path;
  std::string lease;
  FileIdentity directory;
  std::uint64_t token = 0;
};

struct Loaded {
  whitelist::Whitelist whitelist;
  std::string boot_id;  // of the boot in which identities were last confirmed
  std::vector<Creating> creating;
};

class Store {
 public:
  // Opens or makes `path` for the VM. Errors, each with the remedy: kUnavailable when another
  // broker holds it; kCorrupt when it is damaged or belongs to another VM (it is never replaced by
  // an empty one); kUnsupported when a newer openhook wrote it.
  static Result<Store> Open(const std::string& path, const std::string& vm);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  Result<Loaded> Load();

  // Durable when it returns. Errors: kLimit for a full disk or quota, kIo, ...; the old state is
  // intact. Only when the disk does not let a failed change be taken back either, the message says
  // that the change may be there after a restart; then every later one fails until the disk works.
  Result<void> Save(const whitelist::Change& change);

  Result<void> SaveCreating(const Creating& creating);
  // Ends what SaveCreating() began for this path; with the change that it led to, or with none.
  Result<void> SaveCreated(const CanonicalPath& path, const whitelist::Change* change);

  // After all identities were confirmed in the present boot.
  Result<void> SaveBootId(const std::string& boot_id);

 private:
  explicit Store(std::unique_ptr<SQLite::Database> database);
  Result<void> Commit(const std::string& doing, const std::function<void()>& write);
  Result<void> Settle();

  std::unique_ptr<SQLite::Database> database_;
  bool in_doubt_ = false;
};

}  // namespace openhook::store

#endif  // BROKER_STORE_STORE_H_
