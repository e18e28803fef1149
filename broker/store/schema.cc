// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/store/schema.h"

namespace openhook::store {

#define OPENHOOK_IDENTITY(prefix)                                                        \
  prefix "kind INTEGER, " prefix "dev INTEGER, " prefix "ino INTEGER, " prefix           \
         "mount_id INTEGER, " prefix "rdev INTEGER, " prefix "birth_ns INTEGER, " prefix \
         "birth_settled INTEGER, " prefix "handle BLOB"

// New with version 2: a file of version 1 gets them in its migration. The images of a chain (list
// 0), of those that leave with a job (1) and that it brings (2) stand in one table; part 0 is the
// image itself.
#define OPENHOOK_VERSION_2_TABLES                                                               \
  "CREATE TABLE chains (disk TEXT PRIMARY KEY, lease TEXT NOT NULL, writable INTEGER NOT NULL)" \
  "  WITHOUT ROWID;"                                                                            \
  "CREATE TABLE jobs (id TEXT PRIMARY KEY, kind INTEGER NOT NULL, state INTEGER NOT NULL,"      \
  "  disk TEXT NOT NULL, lease TEXT NOT NULL, top BLOB, base BLOB, write INTEGER NOT NULL,"     \
  "  shallow INTEGER NOT NULL, owner TEXT NOT NULL, owner_pid INTEGER NOT NULL,"                \
  "  owner_start INTEGER NOT NULL, started_unix INTEGER NOT NULL, ended_unix INTEGER NOT NULL)" \
  "  WITHOUT ROWID;"                                                                            \
  "CREATE TABLE images (owner TEXT NOT NULL, list INTEGER NOT NULL, position INTEGER NOT NULL," \
  "  part INTEGER NOT NULL, path BLOB NOT NULL, format TEXT NOT NULL,"                          \
  "  PRIMARY KEY (list, owner, position, part)) WITHOUT ROWID;"

// The grants as version 2 has them, under another name until version 1's are out of the way.
#define OPENHOOK_GRANTS_2(name) \
  "CREATE TABLE " name                                                                           \
  " (id INTEGER PRIMARY KEY, lease TEXT NOT NULL, path BLOB NOT NULL,"                           \
  "  access INTEGER NOT NULL, source TEXT NOT NULL, format TEXT NOT NULL, role TEXT NOT NULL,"   \
  "  depth INTEGER NOT NULL, created_unix INTEGER NOT NULL, stale INTEGER NOT NULL,"             \
  "  " OPENHOOK_IDENTITY("file_") ", " OPENHOOK_IDENTITY("dir_") ","                             \
  "  shareable INTEGER NOT NULL, may_block INTEGER NOT NULL, ended_unix INTEGER NOT NULL,"       \
  "  UNIQUE (lease, path, ended_unix));"
#define OPENHOOK_CREATING(name)                                           \
  "CREATE TABLE " name                                                    \
  " (path BLOB PRIMARY KEY, lease TEXT NOT NULL, token INTEGER NOT NULL," \
  "  " OPENHOOK_IDENTITY("dir_") ");"

const char* const kCreateTables =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    OPENHOOK_GRANTS_2("grants")
    "CREATE TABLE aliases (grant_id INTEGER NOT NULL REFERENCES grants(id) ON DELETE CASCADE,"
    "  name BLOB NOT NULL, PRIMARY KEY (grant_id, name)) WITHOUT ROWID;"
    "CREATE TABLE created (path BLOB PRIMARY KEY, lease TEXT NOT NULL, token INTEGER NOT NULL,"
    "  " OPENHOOK_IDENTITY("file_") ", " OPENHOOK_IDENTITY("dir_") ");"
    OPENHOOK_CREATING("creating") OPENHOOK_VERSION_2_TABLES;

const char* MigrationFrom(int version) {
  switch (version) {
    case 1:
      // An ended grant may stand beside a live one of the same lease, so the table's constraint
      // changes, and with it the table (sqlite.org/lang_altertable.html, section 7). Version 1 did
      // not look at a grant's file system: an unknown one may block. Of creations it had room for
      // one at a time, under a number.
      return OPENHOOK_GRANTS_2("grants_2") "INSERT INTO grants_2 SELECT *, 0, 1, 0 FROM grants;"
                                           "DROP TABLE grants;"
                                           "ALTER TABLE grants_2 RENAME TO grants;"
          OPENHOOK_CREATING("creating_2")
              "INSERT INTO creating_2 SELECT path, lease, token, dir_kind, dir_dev, dir_ino,"
              "  dir_mount_id, dir_rdev, dir_birth_ns, dir_birth_settled, dir_handle FROM creating;"
              "DROP TABLE creating; ALTER TABLE creating_2 RENAME TO creating;"
          OPENHOOK_VERSION_2_TABLES;
    default:
      CheckOrDie(false, "a schema version without a migration");
  }
  return nullptr;
}

#undef OPENHOOK_GRANTS_2
#undef OPENHOOK_VERSION_2_TABLES
#undef OPENHOOK_CREATING
#undef OPENHOOK_IDENTITY

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
