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
#include "broker/store/schema.h"

namespace openhook::store {

namespace {

using whitelist::Change;
using whitelist::CreatedFile;
using whitelist::Grant;
using whitelist::GrantAccess;

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

std::string ReadMeta(SQLite::Database& database, const char* key) {
  SQLite::Statement query(database, "SELECT value FROM meta WHERE key = ?");
  query.bind(1, key);
  return query.executeStep() ? query.getColumn(0).getString() : std::string();
}

void WriteMeta(SQLite::Database& database, const char* key, const std::string& value) {
  SQLite::Statement insert(database, "INSERT OR REPLACE INTO meta VALUES (?, ?)");
  insert.bind(1, key);
  insert.bind(2, value);
  insert.exec();
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

void DeleteGrants(SQLite::Database& database, const std::vector<whitelist::GrantId>& ids) {
  SQLite::Statement remove(database, "DELETE FROM grants WHERE id = ?");
  for (const auto id : ids) {
    remove.bind(1, ToColumn(id));
    remove.exec();
    remove.reset();
  }
}

// Where the columns behind a grant's two identities begin, counted from 0.
constexpr int kGrantStates = 10 + 2 * kIdentityColumns;

void InsertGrants(SQLite::Database& database, const std::vector<Grant>& grants) {
  SQLite::Statement insert(
      database,
      "INSERT INTO grants VALUES (?,?,?,?,?,?,?,?,?,?, ?,?,?,?,?,?,?,?, ?,?,?,?,?,?,?,?, ?,?,?)");
  SQLite::Statement alias(database, "INSERT OR IGNORE INTO aliases VALUES (?, ?)");
  for (const Grant& grant : grants) {
    insert.bind(1, ToColumn(grant.id));
    insert.bind(2, grant.lease);
    BindPath(&insert, 3, grant.path.str());
    insert.bind(4, static_cast<int>(grant.access));
    insert.bind(5, grant.source);
    insert.bind(6, grant.format);
    insert.bind(7, grant.role);
    insert.bind(8, static_cast<std::int64_t>(grant.depth));
    insert.bind(9, grant.created_unix);
    insert.bind(10, grant.stale ? 1 : 0);
    BindIdentity(&insert, 11, grant.identity ? &*grant.identity : nullptr);
    BindIdentity(&insert, 11 + kIdentityColumns, grant.directory ? &*grant.directory : nullptr);
    insert.bind(kGrantStates + 1, grant.shareable ? 1 : 0);
    insert.bind(kGrantStates + 2, grant.may_block ? 1 : 0);
    insert.bind(kGrantStates + 3, grant.ended_unix);
    insert.exec();
    insert.reset();
    for (const std::string& name : grant.aliases) {
      alias.bind(1, ToColumn(grant.id));
      BindPath(&alias, 2, name);
      alias.exec();
      alias.reset();
    }
  }
}

void DeleteCreated(SQLite::Database& database, const std::vector<CanonicalPath>& paths) {
  SQLite::Statement remove(database, "DELETE FROM created WHERE path = ?");
  for (const CanonicalPath& path : paths) {
    BindPath(&remove, 1, path.str());
    remove.exec();
    remove.reset();
  }
}

void InsertCreated(SQLite::Database& database, const std::vector<CreatedFile>& files) {
  SQLite::Statement insert(database,
                           "INSERT INTO created VALUES (?,?,?, ?,?,?,?,?,?,?,?, ?,?,?,?,?,?,?,?)");
  for (const CreatedFile& file : files) {
    BindPath(&insert, 1, file.path.str());
    insert.bind(2, file.lease);
    insert.bind(3, ToColumn(file.token));
    BindIdentity(&insert, 4, &file.identity);
    BindIdentity(&insert, 4 + kIdentityColumns, &file.directory);
    insert.exec();
    insert.reset();
  }
}

void WriteChange(SQLite::Database& database, const Change& change) {
  DeleteGrants(database, change.removed);
  InsertGrants(database, change.added);
  DeleteCreated(database, change.forgotten);
  InsertCreated(database, change.created);
  WriteMeta(database, "generation", std::to_string(change.generation));
}

Result<std::vector<Grant>> ReadGrants(SQLite::Database& database) {
  std::vector<Grant> grants;
  SQLite::Statement query(database, "SELECT * FROM grants ORDER BY id");
  SQLite::Statement aliases(database, "SELECT name FROM aliases WHERE grant_id = ?");
  while (query.executeStep()) {
    auto path = ReadPath(&query, 2);
    const int access = query.getColumn(3).getInt();
    if (!path || access < 0 || access > static_cast<int>(GrantAccess::kCreate)) {
      return Fail(ErrorCode::kCorrupt, "a stored grant is damaged; grant the VM's files again");
    }
    Grant grant{.path = std::move(*path)};
    grant.id = FromColumn(query.getColumn(0).getInt64());
    grant.lease = query.getColumn(1).getString();
    grant.access = static_cast<GrantAccess>(access);
    grant.source = query.getColumn(4).getString();
    grant.format = query.getColumn(5).getString();
    grant.role = query.getColumn(6).getString();
    grant.depth = query.getColumn(7).getUInt();
    grant.created_unix = query.getColumn(8).getInt64();
    grant.stale = query.getColumn(9).getInt() != 0;
    grant.identity = ReadIdentity(&query, 10);
    grant.directory = ReadIdentity(&query, 10 + kIdentityColumns);
    grant.shareable = query.getColumn(kGrantStates).getInt() != 0;
    grant.may_block = query.getColumn(kGrantStates + 1).getInt() != 0;
    grant.ended_unix = query.getColumn(kGrantStates + 2).getInt64();
    aliases.bind(1, ToColumn(grant.id));
    while (aliases.executeStep()) {
      grant.aliases.push_back(aliases.getColumn(0).getString());
    }
    aliases.reset();
    grants.push_back(std::move(grant));
  }
  return grants;
}

Result<std::vector<CreatedFile>> ReadCreated(SQLite::Database& database) {
  std::vector<CreatedFile> files;
  SQLite::Statement query(database, "SELECT * FROM created");
  while (query.executeStep()) {
    auto path = ReadPath(&query, 0);
    auto identity = ReadIdentity(&query, 3);
    auto directory = ReadIdentity(&query, 3 + kIdentityColumns);
    if (!path || !identity || !directory) {
      return Fail(ErrorCode::kCorrupt, "a stored record of a created file is damaged");
    }
    files.push_back({std::move(*path), query.getColumn(1).getString(), std::move(*identity),
                     std::move(*directory), FromColumn(query.getColumn(2).getInt64())});
  }
  return files;
}

Result<std::optional<Creating>> ReadCreating(SQLite::Database& database) {
  SQLite::Statement query(database, "SELECT * FROM creating");
  if (!query.executeStep()) {
    return std::optional<Creating>();
  }
  auto path = ReadPath(&query, 1);
  auto directory = ReadIdentity(&query, 4);
  if (!path || !directory) {
    return Fail(ErrorCode::kCorrupt, "the stored record of an unfinished creation is damaged");
  }
  return std::optional<Creating>(Creating{std::move(*path), query.getColumn(2).getString(),
                                          std::move(*directory),
                                          FromColumn(query.getColumn(3).getInt64())});
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
    database->exec("PRAGMA foreign_keys = ON");
    if (auto checked = CheckContents(*database, path, vm); !checked) {
      return tl::make_unexpected(checked.error());
    }
    Migrate(*database);
    return Store(std::move(database));
  });
}

Result<Loaded> Store::Load() {
  return Guarded("read the whitelist file", [&]() -> Result<Loaded> {
    auto grants = ReadGrants(*database_);
    auto created = ReadCreated(*database_);
    auto creating = ReadCreating(*database_);
    if (!grants || !created || !creating) {
      return tl::make_unexpected(!grants    ? grants.error()
                                 : !created ? created.error()
                                            : creating.error());
    }
    const std::uint64_t generation =
        std::strtoull(ReadMeta(*database_, "generation").c_str(), nullptr, 10);
    return Loaded{whitelist::Whitelist(generation, std::move(*grants), std::move(*created)),
                  ReadMeta(*database_, "boot_id"), std::move(*creating)};
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
    SQLite::Statement insert(*database_,
                             "INSERT OR REPLACE INTO creating VALUES (1,?,?,?, ?,?,?,?,?,?,?,?)");
    BindPath(&insert, 1, creating.path.str());
    insert.bind(2, creating.lease);
    insert.bind(3, ToColumn(creating.token));
    BindIdentity(&insert, 4, &creating.directory);
    insert.exec();
    transaction.commit();
    return {};
  });
}

Result<void> Store::SaveCreated(const Change* change) {
  return Guarded("record a created file", [&]() -> Result<void> {
    SQLite::Transaction transaction(*database_);
    database_->exec("DELETE FROM creating");
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
