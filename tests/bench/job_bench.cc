// SPDX-License-Identifier: LGPL-2.1-or-later
//
// job_bench DIRECTORY {GRANTS SOCKET}... [benchmark options]
// The begin and the end of a job, each durable when it is answered, at brokers with so many grants;
// and, as the floor, one commit of one row to a SQLite file in DIRECTORY with the same settings.
// Each broker has a disk "bench" of two images.

#include <SQLiteCpp/SQLiteCpp.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "broker/client/control_client.h"
#include "tests/bench/worker.h"

namespace openhook::bench {

namespace {

using client::ControlClient;

constexpr int kJobs = 20;  // of one repetition
constexpr char kDisk[] = "bench";

double MedianMs(std::vector<std::int64_t> nanos) {
  std::nth_element(nanos.begin(), nanos.begin() + static_cast<long>(nanos.size() / 2), nanos.end());
  return static_cast<double>(nanos[nanos.size() / 2]) / 1e6;
}

struct Subject {
  std::string name;
  ControlClient client;
  std::string base;
  int jobs = 0;
};

std::string BaseOf(ControlClient* client) {
  proto::ControlRequest request;
  request.mutable_chain_list();
  const auto reply = client->Call(std::move(request));
  if (reply) {
    for (const auto& chain : reply->chain_list().chains()) {
      if (chain.disk() == kDisk && chain.images_size() == 2) {
        return chain.images(1).path();
      }
    }
  }
  return "";
}

Result<proto::ControlReply> Begin(Subject* subject, const std::string& id) {
  proto::ControlRequest request;
  proto::JobBeginRequest* begin = request.mutable_job_begin();
  begin->set_id(id);
  begin->set_kind(proto::JOB_KIND_COMMIT);
  begin->set_disk(kDisk);
  begin->set_base(subject->base);
  return subject->client.Call(std::move(request));
}

// As aborted, so that the next job finds the same chain.
Result<proto::ControlReply> End(Subject* subject, const std::string& id) {
  proto::ControlRequest request;
  request.mutable_job_end()->set_id(id);
  request.mutable_job_end()->set_outcome(proto::JOB_STATE_ABORTED);
  return subject->client.Call(std::move(request));
}

void MeasureJobs(benchmark::State& state, Subject* subject) {
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
  for (auto _ : state) {
    const std::string id = "bench-" + std::to_string(subject->jobs++);
    const std::int64_t start = NowNanos();
    const auto begun = Begin(subject, id);
    const std::int64_t middle = NowNanos();
    const auto ended = begun ? End(subject, id) : begun;
    if (!ended) {
      state.SkipWithError(ended.error().Message().c_str());
      return;
    }
    begins.push_back(middle - start);
    ends.push_back(NowNanos() - middle);
  }
  state.counters["begin_ms"] = MedianMs(begins);
  state.counters["end_ms"] = MedianMs(ends);
}

void MeasureCommits(benchmark::State& state, SQLite::Database* database) {
  std::vector<std::int64_t> commits;
  for (auto _ : state) {
    const std::int64_t start = NowNanos();
    SQLite::Transaction transaction(*database);
    database->exec("INSERT INTO rows VALUES (hex(randomblob(50)))");
    transaction.commit();
    commits.push_back(NowNanos() - start);
  }
  state.counters["commit_ms"] = MedianMs(commits);
}

std::unique_ptr<SQLite::Database> BareDatabase(const std::string& directory) {
  auto database = std::make_unique<SQLite::Database>(directory + "/bare.db",
                                                     SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database->exec("PRAGMA locking_mode = EXCLUSIVE");
  database->exec("PRAGMA journal_mode = WAL");
  database->exec("PRAGMA synchronous = FULL");
  database->exec("CREATE TABLE rows (value TEXT)");
  return database;
}

template <class... Arguments>
void Register(const std::string& name, Arguments... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), arguments...)
      ->Iterations(kJobs)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

bool RegisterBrokers(int argc, char** argv, std::vector<std::unique_ptr<Subject>>* subjects) {
  for (int i = 2; i + 1 < argc; i += 2) {
    auto client = ControlClient::Connect(argv[i + 1], "job_bench");
    if (!client) {
      std::fprintf(stderr, "job_bench: %s\n", client.error().Message().c_str());
      return false;
    }
    subjects->push_back(std::make_unique<Subject>(Subject{argv[i], std::move(*client), "", 0}));
    Subject* subject = subjects->back().get();
    subject->base = BaseOf(&subject->client);
    Register("job/" + subject->name, MeasureJobs, subject);
  }
  return true;
}

}  // namespace

}  // namespace openhook::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc < 4 || argc % 2 != 0) {
    std::fputs("usage: job_bench DIRECTORY {GRANTS SOCKET}...\n", stderr);
    return 2;
  }
  const auto database = openhook::bench::BareDatabase(argv[1]);
  openhook::bench::Register("job/commit", openhook::bench::MeasureCommits, database.get());
  std::vector<std::unique_ptr<openhook::bench::Subject>> subjects;
  if (!openhook::bench::RegisterBrokers(argc, argv, &subjects)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
