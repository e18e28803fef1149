// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SQLiteCpp throws; no exception leaves this file: Guarded() turns each into an Error.

#include "broker/store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/store/rows.h"
#include "broker/store/schema.h"

namespace openhook::store {

namespace {

using whitelist::Change;

// What an administrator can do about a code of SQLite's.
struct Remedy {
  ErrorCode code = ErrorCode::kIo;
  const char* words = "";
};

Remedy RemedyFor(int sqlite_code, int sys_errno) {
  switch (sqlite_code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kUnavailable, "; another openhookd serves this VM already"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {
          ErrorCode::kCorrupt,
          "; the whitelist file is damaged: restore it from a backup, or move it away and grant "
          "the VM's files again"};
    case SQLITE_FULL:
      return {ErrorCode::kLimit, "; the disk is full: make room and try again"};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return {ErrorCode::kPermission,
              "; check that the state directory exists and that the broker may write to it"};
    default:
      break;
  }
  return sys_errno == ENOSPC || sys_errno == EDQUOT
             ? Remedy{ErrorCode::kLimit, "; make room for the state directory and try again"}
             : Remedy{ErrorCode::kIo, "; look after the disk of the state directory and try again"};
}

// `sys_errno` is 0 where no system call failed.
Error FromSqlite(const SQLite::Exception& exception, const std::string& doing, int sys_errno) {
  const Remedy remedy = RemedyFor(exception.getErrorCode(), sys_errno);
  const Error what{remedy.code, sys_errno, "cannot " + doing + ": " + exception.getErrorStr()};
  return Error{remedy.code, 0, what.Message() + remedy.words};
}

template <class Function>
auto Guarded(const std::string& doing, Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const SQLite::Exception& exception) {
    return tl::make_unexpected(FromSqlite(exception, doing, 0));
  }
}

void CreateTables(SQLite::Database& database, const std::string& vm) {
  SQLite::Transaction transaction(database);
  database.exec(kCreateTables);
  WriteMeta(database, "vm", vm);
  WriteMeta(database, "generation", "0");
  database.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  transaction.commit();
}

bool IsEmptyDatabase(SQLite::Database& database) {
  return database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0 &&
         database.execAndGet("PRAGMA user_version").getInt() == 0;
}

tl::unexpected<Error> Damaged(const std::string& path, const std::string& how) {
  return Fail(ErrorCode::kCorrupt, "the whitelist file " + Quote(path) + " is damaged (" + how +
                                       "): restore it from a backup, or move it away and grant "
                                       "the VM's files again");
}

Result<void> CheckContents(SQLite::Database& database, const std::string& path,
                           const std::string& vm) {
  if (IsEmptyDatabase(database)) {
    return Damaged(path, "it is empty");
  }
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version < kOldestSchemaVersion || version > kSchemaVersion) {
    return Fail(ErrorCode::kUnsupported,
                "the whitelist file " + Quote(path) + " has schema version " +
                    std::to_string(version) + " and this openhookd knows " +
                    std::to_string(kOldestSchemaVersion) + " to " + std::to_string(kSchemaVersion) +
                    "; run the version that wrote it");
  }
  const std::string verdict = database.execAndGet("PRAGMA quick_check(1)").getString();
  if (verdict != "ok") {
    return Damaged(path, Escape(verdict, 200));
  }
  const std::string owner = ReadMeta(database, "vm");
  if (owner != vm) {
    return Fail(ErrorCode::kCorrupt, "the whitelist file " + Quote(path) + " belongs to the VM " +
                                         Quote(owner) + ", not to " + Quote(vm));
  }
  return {};
}

// All steps in one transaction: a crash leaves the old version, whole.
void Migrate(SQLite::Database& database) {
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version == kSchemaVersion) {
    return;
  }
  SQLite::Transaction transaction(database);
  for (int step = version; step < kSchemaVersion; ++step) {
    database.exec(MigrationFrom(step));
  }
  database.exec("PRAGMA user_version = " + std::to_string(kSchemaVersion));
  transaction.commit();
}

// A new whitelist is made under another name, and gets its own when it is whole. So a file under
// the real name was whole once, and an empty one is damage: never a reason to start with an empty
// list.
Result<void> EnsureFile(const std::string& path, const std::string& vm) {
  const std::string fresh = path + ".new";
  if (auto removed = fs::RemoveFile(fresh); !removed) {
    return removed;
  }
  const auto present = fs::FileExists(path);
  if (!present || *present) {
    return present.map([](bool) {});
  }
  {
    SQLite::Database database(fresh, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    CreateTables(database, vm);
  }
  return fs::PublishFile(fresh, path);
}

}  // namespace

Store::Store(std::unique_ptr<SQLite::Database> database) : database_(std::move(database)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::Open(const std::string& path, const std::string& vm) {
  return Guarded("open the whitelist file " + Quote(path), [&]() -> Result<Store> {
    if (auto there = EnsureFile(path, vm); !there) {
      return tl::make_unexpected(there.error());
    }
    // A log that is there was left by a broker that was killed.
    const auto left_over = fs::FileExists(path + "-wal");
    auto database = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE);
    // EXCLUSIVE before WAL: then SQLite needs no shared-memory file, and holds its lock for good.
    database->exec("PRAGMA locking_mode = EXCLUSIVE");
    database->exec("PRAGMA journal_mode = WAL");
    database->exec("PRAGMA synchronous = FULL");
    if (auto checked = CheckContents(*database, path, vm); !checked) {
      return tl::make_unexpected(checked.error());
    }
    Migrate(*database);
    // After the migration: it replaces a table that others refer to.
    database->exec("PRAGMA foreign_keys = ON");
    Store store(std::move(database));
    if (!left_over || *left_over) {
      // Where it fails the VM is served all the same, and changes are refused.
      (void)store.Settle();
    }
    return store;
  });
}

Result<Loaded> Store::Load() {
  return Guarded("read the whitelist file", [&]() -> Result<Loaded> {
    auto contents = ReadContents(*database_);
    auto creating = ReadCreating(*database_);
    if (!contents || !creating) {
      return tl::make_unexpected(!contents ? contents.error() : creating.error());
    }
    return Loaded{whitelist::Whitelist(std::move(*contents)), ReadMeta(*database_, "boot_id"),
                  std::move(*creating)};
  });
}

// Runs `write` in one transaction, durable when this returns.
//
// SQLite takes a failed transaction back in memory, and that is all. When the write-ahead log was
// written and only fsync failed, the whole transaction stands in the log: it is not in force, and
// the next start would read it. So the log is settled before anybody is told. A write that failed
// needs no more: a log without its last page ends before it.
Result<void> Store::Commit(const std::string& doing, const std::function<void()>& write) {
  if (in_doubt_) {
    if (auto settled = Settle(); !settled) {
      return Fail(settled.error().code, "cannot " + doing +
                                            ": an earlier change could not be made durable, and "
                                            "that is not over: " +
                                            settled.error().context);
    }
  }
  int code = SQLITE_OK;
  Error error;
  std::optional<SQLite::Transaction> transaction;  // outlives the look at why it failed
  try {
    transaction.emplace(*database_);
    errno = 0;
    write();
    transaction->commit();
    return {};
  } catch (const SQLite::Exception& exception) {
    // sqlite3_system_errno() does not know why a commit failed.
    const int sys_errno = exception.getErrorCode() == SQLITE_IOERR ? errno : 0;
    code = exception.getExtendedErrorCode();
    error = FromSqlite(exception, doing, sys_errno);
  }
  transaction.reset();
  in_doubt_ = code != SQLITE_FULL && code != SQLITE_IOERR_WRITE;
  if (!in_doubt_ || Settle()) {
    error.context += "; nothing was changed";
  } else {
    error.context +=
        "; what was asked is not in force, but it may be after a restart of the broker, and no "
        "other change is taken until the disk works";
  }
  return tl::make_unexpected(std::move(error));
}

// Makes the file say what was last acknowledged, and nothing else, on the disk itself.
//
// What stands in the log is written into the database and fsynced there: pages of the log whose
// fsync failed, in this process or in one before it, may be in memory only although the kernel
// calls them clean (so a second fsync of the log proves nothing). Then the log begins anew, with a
// header and a page that are fsynced: what stood behind it does not belong to it any more.
Result<void> Store::Settle() {
  const auto settled = Guarded("write the whitelist back", [&]() -> Result<void> {
    SQLite::Database& database = *database_;
    const int code = ::sqlite3_wal_checkpoint_v2(database.getHandle(), nullptr,
                                                 SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (code != SQLITE_OK) {
      throw SQLite::Exception(database.getHandle(), code);
    }
    // A value that is there already would not be written.
    database.exec("INSERT OR REPLACE INTO meta VALUES ('settled', hex(randomblob(8)))");
    return {};
  });
  in_doubt_ = !settled;
  return settled;
}

Result<void> Store::Save(const Change& change) {
  return Commit("save the whitelist", [&] { WriteChange(*database_, change); });
}

Result<void> Store::SaveCreating(const Creating& creating) {
  return Commit("record a file that is to be created",
                [&] { WriteCreating(*database_, creating); });
}

Result<void> Store::SaveCreated(const CanonicalPath& path, const Change* change) {
  return Commit("record a created file", [&] {
    SQLite::Statement remove(*database_, "DELETE FROM creating WHERE path = ?");
    BindPath(&remove, 1, path.str());
    remove.exec();
    if (change != nullptr) {
      WriteChange(*database_, *change);
    }
  });
}

Result<void> Store::SaveBootId(const std::string& boot_id) {
  return Commit("save the boot id", [&] { WriteMeta(*database_, "boot_id", boot_id); });
}

}  // namespace openhook::store
