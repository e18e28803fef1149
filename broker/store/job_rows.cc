// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/store/job_rows.h"

#include <optional>
#include <string>
#include <utility>

#include "broker/store/schema.h"

namespace openhook::store {

namespace {

using whitelist::ChainImage;
using whitelist::ChainRecord;
using whitelist::Job;
using whitelist::JobKind;
using whitelist::JobState;

// The column `list` of the table images.
enum class ImageList : std::uint8_t { kChain, kLeaving, kTargets };

void InsertImage(SQLite::Statement* insert, int position, int part, const CanonicalPath& path,
                 const std::string& format) {
  insert->bind(3, position);
  insert->bind(4, part);
  BindPath(insert, 5, path.str());
  insert->bind(6, format);
  insert->exec();
  insert->reset();
}

void InsertImages(SQLite::Database& database, ImageList list, const std::string& owner,
                  const std::vector<ChainImage>& images) {
  SQLite::Statement insert(database, "INSERT INTO images VALUES (?,?,?,?,?,?)");
  insert.bind(1, owner);
  insert.bind(2, static_cast<int>(list));
  int position = 0;
  for (const ChainImage& image : images) {
    InsertImage(&insert, position, 0, image.path, image.format);
    int part = 0;
    for (const CanonicalPath& path : image.parts) {
      InsertImage(&insert, position, ++part, path, "");
    }
    ++position;
  }
}

void DeleteImages(SQLite::Database& database, ImageList list, const std::string& owner) {
  SQLite::Statement remove(database, "DELETE FROM images WHERE list = ? AND owner = ?");
  remove.bind(1, static_cast<int>(list));
  remove.bind(2, owner);
  remove.exec();
}

Result<std::vector<ChainImage>> ReadImages(SQLite::Database& database, ImageList list,
                                           const std::string& owner) {
  SQLite::Statement query(database,
                          "SELECT part, path, format FROM images WHERE list = ? AND owner = ?"
                          " ORDER BY position, part");
  query.bind(1, static_cast<int>(list));
  query.bind(2, owner);
  std::vector<ChainImage> images;
  while (query.executeStep()) {
    auto path = ReadPath(&query, 1);
    if (!path) {
      return tl::make_unexpected(path.error());
    }
    if (query.getColumn(0).getInt() == 0) {
      images.push_back({std::move(*path), query.getColumn(2).getString(), {}});
    } else if (!images.empty()) {
      images.back().parts.push_back(std::move(*path));
    }
  }
  return images;
}

void DeleteChain(SQLite::Database& database, const std::string& disk) {
  SQLite::Statement remove(database, "DELETE FROM chains WHERE disk = ?");
  remove.bind(1, disk);
  remove.exec();
  DeleteImages(database, ImageList::kChain, disk);
}

void InsertChain(SQLite::Database& database, const ChainRecord& chain) {
  SQLite::Statement insert(database, "INSERT INTO chains VALUES (?,?,?)");
  insert.bind(1, chain.disk);
  insert.bind(2, chain.lease);
  insert.bind(3, chain.writable ? 1 : 0);
  insert.exec();
  InsertImages(database, ImageList::kChain, chain.disk, chain.images);
}

void DeleteJob(SQLite::Database& database, const std::string& id) {
  SQLite::Statement remove(database, "DELETE FROM jobs WHERE id = ?");
  remove.bind(1, id);
  remove.exec();
  DeleteImages(database, ImageList::kLeaving, id);
  DeleteImages(database, ImageList::kTargets, id);
}

void BindOptionalPath(SQLite::Statement* statement, int column,
                      const std::optional<CanonicalPath>& path) {
  if (path) {
    BindPath(statement, column, path->str());
  } else {
    statement->bind(column);
  }
}

void InsertJob(SQLite::Database& database, const Job& job) {
  const whitelist::JobRequest& request = job.request;
  SQLite::Statement insert(database, "INSERT INTO jobs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  insert.bind(1, request.id);
  insert.bind(2, static_cast<int>(request.kind));
  insert.bind(3, static_cast<int>(job.state));
  insert.bind(4, request.disk);
  insert.bind(5, request.lease);
  BindOptionalPath(&insert, 6, request.top);
  BindOptionalPath(&insert, 7, request.base);
  insert.bind(8, request.write ? 1 : 0);
  insert.bind(9, request.shallow ? 1 : 0);
  insert.bind(10, request.owner.name);
  insert.bind(11, request.owner.pid);
  insert.bind(12, ToColumn(request.owner.start_ticks));
  insert.bind(13, job.started_unix);
  insert.bind(14, job.ended_unix);
  insert.exec();
  InsertImages(database, ImageList::kLeaving, request.id, job.leaving);
  InsertImages(database, ImageList::kTargets, request.id, job.targets);
}

// Errors: kCorrupt for what is neither NULL nor a path.
Result<std::optional<CanonicalPath>> ReadOptionalPath(SQLite::Statement* query, int column) {
  if (query->isColumnNull(column)) {
    return std::optional<CanonicalPath>();
  }
  return ReadPath(query, column).map([](CanonicalPath path) {
    return std::optional<CanonicalPath>(std::move(path));
  });
}

Result<Job> ReadJob(SQLite::Statement* query) {
  const int kind = query->getColumn(1).getInt();
  const int state = query->getColumn(2).getInt();
  const auto top = ReadOptionalPath(query, 5);
  const auto base = ReadOptionalPath(query, 6);
  if (kind < 0 || kind > static_cast<int>(JobKind::kMigrateOut) || state < 0 ||
      state > static_cast<int>(JobState::kAborted) || !top || !base) {
    return Fail(ErrorCode::kCorrupt, "a stored job is damaged");
  }
  Job job;
  job.request.id = query->getColumn(0).getString();
  job.request.kind = static_cast<JobKind>(kind);
  job.state = static_cast<JobState>(state);
  job.request.disk = query->getColumn(3).getString();
  job.request.lease = query->getColumn(4).getString();
  job.request.top = *top;
  job.request.base = *base;
  job.request.write = query->getColumn(7).getInt() != 0;
  job.request.shallow = query->getColumn(8).getInt() != 0;
  job.request.owner = {query->getColumn(9).getString(), query->getColumn(10).getInt(),
                       FromColumn(query->getColumn(11).getInt64())};
  job.started_unix = query->getColumn(12).getInt64();
  job.ended_unix = query->getColumn(13).getInt64();
  return job;
}

}  // namespace

void WriteChainsAndJobs(SQLite::Database& database, const whitelist::Change& change) {
  for (const std::string& disk : change.forgotten_chains) {
    DeleteChain(database, disk);
  }
  for (const ChainRecord& chain : change.chains) {
    DeleteChain(database, chain.disk);
    InsertChain(database, chain);
  }
  for (const std::string& id : change.forgotten_jobs) {
    DeleteJob(database, id);
  }
  for (const Job& job : change.jobs) {
    DeleteJob(database, job.request.id);
    InsertJob(database, job);
  }
}

Result<std::vector<ChainRecord>> ReadChains(SQLite::Database& database) {
  SQLite::Statement query(database, "SELECT * FROM chains");
  std::vector<ChainRecord> chains;
  while (query.executeStep()) {
    ChainRecord chain{query.getColumn(0).getString(),
                      query.getColumn(1).getString(),
                      query.getColumn(2).getInt() != 0,
                      {}};
    auto images = ReadImages(database, ImageList::kChain, chain.disk);
    if (!images) {
      return tl::make_unexpected(images.error());
    }
    chain.images = std::move(*images);
    chains.push_back(std::move(chain));
  }
  return chains;
}

Result<std::vector<Job>> ReadJobs(SQLite::Database& database) {
  SQLite::Statement query(database, "SELECT * FROM jobs");
  std::vector<Job> jobs;
  while (query.executeStep()) {
    auto job = ReadJob(&query);
    if (!job) {
      return tl::make_unexpected(job.error());
    }
    auto leaving = ReadImages(database, ImageList::kLeaving, job->request.id);
    auto targets = ReadImages(database, ImageList::kTargets, job->request.id);
    if (!leaving || !targets) {
      return tl::make_unexpected(!leaving ? leaving.error() : targets.error());
    }
    job->leaving = std::move(*leaving);
    job->targets = std::move(*targets);
    jobs.push_back(std::move(*job));
  }
  return jobs;
}

}  // namespace openhook::store
