// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Chain records and jobs as rows, and back. As rows.h, it may throw SQLite::Exception.

#ifndef BROKER_STORE_JOB_ROWS_H_
#define BROKER_STORE_JOB_ROWS_H_

#include <SQLiteCpp/SQLiteCpp.h>

#include <vector>

#include "broker/base/result.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::store {

void WriteChainsAndJobs(SQLite::Database& database, const whitelist::Change& change);

// Errors: kCorrupt when a row holds what no openhookd writes.
Result<std::vector<whitelist::ChainRecord>> ReadChains(SQLite::Database& database);
Result<std::vector<whitelist::Job>> ReadJobs(SQLite::Database& database);

}  // namespace openhook::store

#endif  // BROKER_STORE_JOB_ROWS_H_
