// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Whitelist values as rows, and back. What is here may throw SQLite::Exception; store.cc turns that
// into an Error, and holds the transactions.

#ifndef BROKER_STORE_ROWS_H_
#define BROKER_STORE_ROWS_H_

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/store/store.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::store {

std::string ReadMeta(SQLite::Database& database, const char* key);
void WriteMeta(SQLite::Database& database, const char* key, const std::string& value);

void WriteChange(SQLite::Database& database, const whitelist::Change& change);
void WriteCreating(SQLite::Database& database, const Creating& creating);

// Errors: kCorrupt when a row holds what no openhookd writes.
Result<whitelist::Contents> ReadContents(SQLite::Database& database);
Result<std::vector<Creating>> ReadCreating(SQLite::Database& database);

}  // namespace openhook::store

#endif  // BROKER_STORE_ROWS_H_
