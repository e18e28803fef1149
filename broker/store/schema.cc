// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/store/schema.h"

namespace openhook::store {

#define OPENHOOK_IDENTITY(prefix)                                                        \
  prefix "kind INTEGER, " prefix "dev INTEGER, " prefix "ino INTEGER, " prefix           \
         "mount_id INTEGER, " prefix "rdev INTEGER, " prefix "birth_ns INTEGER, " prefix \
         "birth_settled INTEGER, " prefix "handle BLOB"

const char* const kCreateTables =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE grants (id INTEGER PRIMARY KEY, lease TEXT NOT NULL, path BLOB NOT NULL,"
    "  access INTEGER NOT NULL, source TEXT NOT NULL, format TEXT NOT NULL, role TEXT NOT NULL,"
    "  depth INTEGER NOT NULL, created_unix INTEGER NOT NULL, stale INTEGER NOT NULL,"
    "  " OPENHOOK_IDENTITY("file_") ", " OPENHOOK_IDENTITY("dir_") ","
    "  shareable INTEGER NOT NULL DEFAULT 0, may_block INTEGER NOT NULL DEFAULT 0,"
    "  ended_unix INTEGER NOT NULL DEFAULT 0, UNIQUE (lease, path));"
    "CREATE TABLE aliases (grant_id INTEGER NOT NULL REFERENCES grants(id) ON DELETE CASCADE,"
    "  name BLOB NOT NULL, PRIMARY KEY (grant_id, name)) WITHOUT ROWID;"
    "CREATE TABLE created (path BLOB PRIMARY KEY, lease TEXT NOT NULL, token INTEGER NOT NULL,"
    "  " OPENHOOK_IDENTITY("file_") ", " OPENHOOK_IDENTITY("dir_") ");"
    "CREATE TABLE creating (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), path BLOB NOT NULL,"
    "  lease TEXT NOT NULL, token INTEGER NOT NULL, " OPENHOOK_IDENTITY("dir_") ");";

#undef OPENHOOK_IDENTITY

const char* MigrationFrom(int version) {
  switch (version) {
    case 1:
      return "ALTER TABLE grants ADD COLUMN shareable INTEGER NOT NULL DEFAULT 0;"
             "ALTER TABLE grants ADD COLUMN may_block INTEGER NOT NULL DEFAULT 0;"
             "ALTER TABLE grants ADD COLUMN ended_unix INTEGER NOT NULL DEFAULT 0;";
    default:
      CheckOrDie(false, "a schema version without a migration");
  }
  return nullptr;
}

void BindIdentity(SQLite::Statement* statement, int first, const FileIdentity* identity) {
  if (identity == nullptr) {
    for (int i = 0; i < kIdentityColumns; ++i) {
      statement->bind(first + i);
    }
    return;
  }
  statement->bind(first, static_cast<int>(identity->kind));
  statement->bind(first + 1, ToColumn(identity->dev));
  statement->bind(first + 2, ToColumn(identity->ino));
  statement->bind(first + 3, ToColumn(identity->mount_id));
  statement->bind(first + 4, ToColumn(identity->rdev));
  statement->bind(first + 5, identity->birth_ns);
  statement->bind(first + 6, identity->birth_settled ? 1 : 0);
  statement->bind(first + 7, identity->handle.data(), static_cast<int>(identity->handle.size()));
}

std::optional<FileIdentity> ReadIdentity(SQLite::Statement* statement, int first) {
  if (statement->isColumnNull(first)) {
    return std::nullopt;
  }
  FileIdentity identity;
  const int kind = statement->getColumn(first).getInt();
  // An unknown kind is one that is never opened.
  identity.kind = kind >= 0 && kind < static_cast<int>(FileKind::kOther)
                      ? static_cast<FileKind>(kind)
                      : FileKind::kOther;
  identity.dev = FromColumn(statement->getColumn(first + 1).getInt64());
  identity.ino = FromColumn(statement->getColumn(first + 2).getInt64());
  identity.mount_id = FromColumn(statement->getColumn(first + 3).getInt64());
  identity.rdev = FromColumn(statement->getColumn(first + 4).getInt64());
  identity.birth_ns = statement->getColumn(first + 5).getInt64();
  identity.birth_settled = statement->getColumn(first + 6).getInt() != 0;
  identity.handle = statement->getColumn(first + 7).getString();
  return identity;
}

void BindPath(SQLite::Statement* statement, int column, const std::string& path) {
  statement->bind(column, path.data(), static_cast<int>(path.size()));
}

Result<CanonicalPath> ReadPath(SQLite::Statement* statement, int column) {
  auto path = CanonicalPath::Parse(statement->getColumn(column).getString());
  if (!path) {
    return Fail(ErrorCode::kCorrupt, "a stored path is damaged: " + path.error().context);
  }
  return path;
}

}  // namespace openhook::store
