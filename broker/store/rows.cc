// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/store/rows.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "broker/store/job_rows.h"
#include "broker/store/schema.h"

namespace openhook::store {

namespace {

using whitelist::Change;
using whitelist::CreatedFile;
using whitelist::Grant;
using whitelist::GrantAccess;

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

}  // namespace

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

void WriteChange(SQLite::Database& database, const Change& change) {
  DeleteGrants(database, change.removed);
  InsertGrants(database, change.added);
  DeleteCreated(database, change.forgotten);
  InsertCreated(database, change.created);
  WriteChainsAndJobs(database, change);
  WriteMeta(database, "generation", std::to_string(change.generation));
}

void WriteCreating(SQLite::Database& database, const Creating& creating) {
  SQLite::Statement insert(database,
                           "INSERT OR REPLACE INTO creating VALUES (?,?,?, ?,?,?,?,?,?,?,?)");
  BindPath(&insert, 1, creating.path.str());
  insert.bind(2, creating.lease);
  insert.bind(3, ToColumn(creating.token));
  BindIdentity(&insert, 4, &creating.directory);
  insert.exec();
}

Result<whitelist::Contents> ReadContents(SQLite::Database& database) {
  auto grants = ReadGrants(database);
  if (!grants) {
    return tl::make_unexpected(grants.error());
  }
  auto created = ReadCreated(database);
  if (!created) {
    return tl::make_unexpected(created.error());
  }
  auto chains = ReadChains(database);
  if (!chains) {
    return tl::make_unexpected(chains.error());
  }
  auto jobs = ReadJobs(database);
  if (!jobs) {
    return tl::make_unexpected(jobs.error());
  }
  const std::uint64_t generation =
      std::strtoull(ReadMeta(database, "generation").c_str(), nullptr, 10);
  return whitelist::Contents{generation, std::move(*grants), std::move(*created),
                             std::move(*chains), std::move(*jobs)};
}

Result<std::vector<Creating>> ReadCreating(SQLite::Database& database) {
  std::vector<Creating> all;
  SQLite::Statement query(database, "SELECT * FROM creating");
  while (query.executeStep()) {
    auto path = ReadPath(&query, 0);
    auto directory = ReadIdentity(&query, 3);
    if (!path || !directory) {
      return Fail(ErrorCode::kCorrupt, "the stored record of an unfinished creation is damaged");
    }
    all.push_back({std::move(*path), query.getColumn(1).getString(), std::move(*directory),
                   FromColumn(query.getColumn(2).getInt64())});
  }
  return all;
}

}  // namespace openhook::store
