// SPDX-License-Identifier: LGPL-2.1-or-later
//
// SQLiteCpp throws; no exception leaves this file: Guarded() turns each into an Error.

#include "broker/store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <utility>
#include <vector>

#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/store/rows.h"
#include "broker/store/schema.h"

namespace openhook::store {

namespace {

using whitelist::Change;

Error FromSqlite(const SQLite::Exception& exception, const std::string& doing) {
  ErrorCode code = ErrorCode::kIo;
  std::string remedy;
  switch (exception.getErrorCode()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      code = ErrorCode::kUnavailable;
      remedy = "; another openhookd serves this VM already";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      code = ErrorCode::kCorrupt;
      remedy =
          "; the whitelist file is damaged: restore it from a backup, or move it away and grant "
          "the VM's files again";
      break;
    case SQLITE_FULL:
      code = ErrorCode::kLimit;
      remedy = "; the disk is full: nothing was changed, make room and try again";
      break;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      code = ErrorCode::kPermission;
      remedy = "; check that the state directory exists and that the broker may write to it";
      break;
    default:
      break;
  }
  return Error{code, 0, "cannot " + doing + ": " + exception.getErrorStr() + remedy};
}

template <class Function>
auto Guarded(const std::string& doing, Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const SQLite::Exception& exception) {
    return tl::make_unexpected(FromSqlite(exception, doing));
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
    return Store(std::move(database));
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

Result<void> Store::Save(const Change& change) {
  return Guarded("save the whitelist", [&]() -> Result<void> {
    SQLite::Transaction transaction(*database_);
    WriteChange(*database_, change);
    transaction.commit();
    return {};
  });
}

Result<void> Store::SaveCreating(const Creating& creating) {
  return Guarded("record a file that is to be created", [&]() -> Result<void> {
    SQLite::Transaction transaction(*database_);
    WriteCreating(*database_, creating);
    transaction.commit();
    return {};
  });
}

Result<void> Store::SaveCreated(const CanonicalPath& path, const Change* change) {
  return Guarded("record a created file", [&]() -> Result<void> {
    SQLite::Transaction transaction(*database_);
    SQLite::Statement remove(*database_, "DELETE FROM creating WHERE path = ?");
    BindPath(&remove, 1, path.str());
    remove.exec();
    if (change != nullptr) {
      WriteChange(*database_, *change);
    }
    transaction.commit();
    return {};
  });
}

Result<void> Store::SaveBootId(const std::string& boot_id) {
  return Guarded("save the boot id", [&]() -> Result<void> {
    WriteMeta(*database_, "boot_id", boot_id);
    return {};
  });
}

}  // namespace openhook::store
