// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The tables of the store, and how rows become whitelist values. Every column is written as what it
// is: 64-bit numbers as SQLite's signed integers by bit pattern, paths as blobs (they are bytes).

#ifndef BROKER_STORE_SCHEMA_H_
#define BROKER_STORE_SCHEMA_H_

#include <SQLiteCpp/SQLiteCpp.h>

#include <bit>
#include <cstdint>
#include <string>

#include "broker/base/file_identity.h"
#include "broker/base/result.h"
#include "broker/whitelist/grant.h"

namespace openhook::store {

// Rises with every change of the tables; docs/architecture.md says how to migrate.
inline constexpr int kSchemaVersion = 2;

// SQL that makes all tables of kSchemaVersion.
extern const char* const kCreateTables;

// The oldest version that can be brought up to kSchemaVersion, and the SQL for the step from
// `version` to the next. A migrated file has the same columns in the same order as a new one.
inline constexpr int kOldestSchemaVersion = 1;
const char* MigrationFrom(int version);

constexpr std::int64_t ToColumn(std::uint64_t value) { return std::bit_cast<std::int64_t>(value); }
constexpr std::uint64_t FromColumn(std::int64_t value) {
  return std::bit_cast<std::uint64_t>(value);
}

// An identity occupies this many columns, in the order kind, dev, ino, mount_id, rdev, birth,
// whether that is settled, handle; all NULL when there is none.
inline constexpr int kIdentityColumns = 8;
void BindIdentity(SQLite::Statement* statement, int first, const FileIdentity* identity);
std::optional<FileIdentity> ReadIdentity(SQLite::Statement* statement, int first);

void BindPath(SQLite::Statement* statement, int column, const std::string& path);
// Errors: kCorrupt when the blob is not a canonical path.
Result<CanonicalPath> ReadPath(SQLite::Statement* statement, int column);

}  // namespace openhook::store

#endif  // BROKER_STORE_SCHEMA_H_
