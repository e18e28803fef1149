// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "tests/support/temp_tree.h"
#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::store {
namespace {

using whitelist::Change;
using whitelist::Folder;
using whitelist::Grant;
using whitelist::GrantAccess;
using whitelist::Inode;
using whitelist::Made;

constexpr char kVm[] = "11111111-2222-3333-4444-555555555555";

Grant FullGrant() {
  Grant grant = whitelist::File("/srv/\xff\n.img", GrantAccess::kReadWrite, ~0ULL, "job:x");
  grant.aliases = {"/srv/../srv/\xff\n.img", "/link"};
  grant.identity->dev = 1ULL << 63;
  grant.identity->handle = std::string("\0\1handle", 8);
  grant.source = "disk vda";
  grant.format = "qcow2";
  grant.role = "backing";
  grant.depth = 3;
  grant.created_unix = 1234567890;
  grant.shareable = true;
  grant.may_block = true;
  return grant;
}

whitelist::Whitelist LoadList(Store* store) { return store->Load().value().whitelist; }

Change Plan(const whitelist::Whitelist& list, std::vector<Grant> grants) {
  return list.PlanGrants(std::move(grants)).value();
}

TEST(Store, GivesBackWhatWasSaved) {
  const testing::TempTree tree;
  Grant saved = FullGrant();
  saved.ended_unix = 1234567899;
  {
    Store store = Store::Open(tree.Path("db"), kVm).value();
    whitelist::Whitelist list = LoadList(&store);
    const Change change = Plan(list, {saved, Folder("/out", "job:x")});
    ASSERT_TRUE(store.Save(change));
    list.Apply(change);
    ASSERT_TRUE(store.Save(list.PlanCreated(Made("/out/made", 9, "job:x", 77))));
    ASSERT_TRUE(store.SaveBootId("boot"));
  }
  Store store = Store::Open(tree.Path("db"), kVm).value();
  const Loaded loaded = store.Load().value();
  EXPECT_EQ(loaded.whitelist.generation(), 2U);
  EXPECT_EQ(loaded.boot_id, "boot");
  EXPECT_TRUE(loaded.creating.empty());
  ASSERT_EQ(loaded.whitelist.grants().size(), 2U);
  const Grant& read = loaded.whitelist.grants().begin()->second;
  EXPECT_EQ(read.path, saved.path);
  EXPECT_EQ(read.lease, saved.lease);
  EXPECT_EQ(read.access, saved.access);
  EXPECT_EQ(std::set<std::string>(read.aliases.begin(), read.aliases.end()),
            std::set<std::string>(saved.aliases.begin(), saved.aliases.end()));
  EXPECT_TRUE(SameFile(*read.identity, *saved.identity));
  EXPECT_EQ(read.identity->handle, saved.identity->handle);
  EXPECT_TRUE(read.identity->birth_settled);
  EXPECT_FALSE(read.directory);
  EXPECT_EQ(read.source, saved.source);
  EXPECT_EQ(read.format, saved.format);
  EXPECT_EQ(read.role, saved.role);
  EXPECT_EQ(read.depth, saved.depth);
  EXPECT_EQ(read.created_unix, saved.created_unix);
  EXPECT_TRUE(read.shareable);
  EXPECT_TRUE(read.may_block);
  EXPECT_EQ(read.ended_unix, saved.ended_unix);
  ASSERT_EQ(loaded.whitelist.created().size(), 1U);
  const whitelist::CreatedFile& made = loaded.whitelist.created().begin()->second;
  EXPECT_EQ(made.token, 77U);
  EXPECT_TRUE(SameFile(made.directory, Inode(1000, FileKind::kDirectory)));
}

whitelist::Job FullJob() {
  whitelist::Job job;
  job.request = {.id = "commit-1",
                 .kind = whitelist::JobKind::kCommit,
                 .disk = "/srv/\xff.qcow2",
                 .lease = "domain",
                 .top = whitelist::At("/srv/top"),
                 .base = whitelist::At("/srv/base"),
                 .write = true,
                 .shallow = true,
                 .owner = {"admin:alice", 4711, ~0ULL}};
  job.started_unix = 5;
  job.leaving = {{whitelist::At("/srv/top"), "qcow2", {whitelist::At("/srv/top.data")}},
                 {whitelist::At("/srv/middle"), "raw", {}}};
  job.targets = {{whitelist::At("/new"), "qed", {}}};
  return job;
}

TEST(Store, GivesBackChainsAndJobs) {
  const testing::TempTree tree;
  const whitelist::ChainRecord chain{"/srv/\xff.qcow2", "domain", true, FullJob().leaving};
  whitelist::Job ended = FullJob();
  ended.request.id = "stream-2";
  ended.request.top.reset();
  ended.state = whitelist::JobState::kAborted;
  ended.ended_unix = 9;
  {
    Store store = Store::Open(tree.Path("db"), kVm).value();
    Change change;
    change.generation = 1;
    change.chains = {chain, {"vdb", "device:vdb", false, {}}};
    change.jobs = {FullJob(), ended};
    ASSERT_TRUE(store.Save(change));
  }
  {
    Store store = Store::Open(tree.Path("db"), kVm).value();
    const whitelist::Whitelist list = LoadList(&store);
    EXPECT_EQ(list.chains().at(chain.disk), chain);
    EXPECT_TRUE(list.chains().at("vdb").images.empty());
    EXPECT_EQ(list.jobs().at("commit-1"), FullJob());
    EXPECT_EQ(list.jobs().at("stream-2"), ended);
    Change change;
    change.generation = 2;
    change.forgotten_chains = {chain.disk};
    change.forgotten_jobs = {"stream-2"};
    whitelist::Job over = FullJob();
    over.state = whitelist::JobState::kPivoted;
    change.jobs = {over};
    ASSERT_TRUE(store.Save(change));
  }
  Store store = Store::Open(tree.Path("db"), kVm).value();
  const whitelist::Whitelist list = LoadList(&store);
  EXPECT_EQ(list.chains().size(), 1U);
  ASSERT_EQ(list.jobs().size(), 1U);
  EXPECT_EQ(list.jobs().at("commit-1").state, whitelist::JobState::kPivoted);
  EXPECT_EQ(list.jobs().at("commit-1").leaving, FullJob().leaving);
}

TEST(Store, ARevokeRemovesGrantsAndTheirAliases) {
  const testing::TempTree tree;
  {
    Store store = Store::Open(tree.Path("db"), kVm).value();
    whitelist::Whitelist list = LoadList(&store);
    const Change change = Plan(list, {FullGrant()});
    ASSERT_TRUE(store.Save(change));
    list.Apply(change);
    ASSERT_TRUE(store.Save(list.PlanRevoke("job:x", {}).value()));
  }
  const Loaded loaded = Store::Open(tree.Path("db"), kVm)->Load().value();
  EXPECT_TRUE(loaded.whitelist.grants().empty());
  EXPECT_EQ(loaded.whitelist.Find("/link").entry, nullptr);
}

TEST(Store, RemembersAnUnfinishedCreation) {
  const testing::TempTree tree;
  const Creating creating{whitelist::At("/out/x"), "job:x", Inode(5, FileKind::kDirectory), 99};
  {
    Store store = Store::Open(tree.Path("db"), kVm).value();
    ASSERT_TRUE(store.SaveCreating(creating));
  }
  Store store = Store::Open(tree.Path("db"), kVm).value();
  const Loaded loaded = store.Load().value();
  ASSERT_EQ(loaded.creating.size(), 1U);
  EXPECT_EQ(loaded.creating[0].path, creating.path);
  EXPECT_EQ(loaded.creating[0].token, 99U);
  EXPECT_TRUE(SameFile(loaded.creating[0].directory, creating.directory));
  ASSERT_TRUE(store.SaveCreated(creating.path, nullptr));
  EXPECT_TRUE(store.Load()->creating.empty());
}

TEST(Store, OneVmHasOneBroker) {
  const testing::TempTree tree;
  Store first = Store::Open(tree.Path("db"), kVm).value();
  ASSERT_TRUE(first.Load());
  const auto second = Store::Open(tree.Path("db"), kVm);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(second.error().context.find("serves this VM already"), std::string::npos);
}

TEST(Store, RefusesTheFileOfAnotherVm) {
  const testing::TempTree tree;
  ASSERT_TRUE(Store::Open(tree.Path("db"), kVm));
  const auto other = Store::Open(tree.Path("db"), "99999999-2222-3333-4444-555555555555");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kCorrupt);
}

TEST(Store, NeverStartsEmptyFromADamagedFile) {
  for (const std::size_t offset : {0U, 20U, 100U, 4096U}) {
    const testing::TempTree tree;
    ASSERT_TRUE(Store::Open(tree.Path("db"), kVm));
    std::fstream file(tree.Path("db"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << std::string(64, '\xa5');
    file.close();
    auto store = Store::Open(tree.Path("db"), kVm);
    const auto loaded = store ? store->Load() : tl::make_unexpected(store.error());
    ASSERT_FALSE(loaded) << "offset " << offset;
    EXPECT_FALSE(loaded.error().context.empty());
  }
}

TEST(Store, ANewerSchemaIsLeftAlone) {
  const testing::TempTree tree;
  ASSERT_TRUE(Store::Open(tree.Path("db"), kVm));
  {
    // user_version is the big-endian number at offset 60 of a SQLite file (fileformat2, 1.3).
    std::fstream file(tree.Path("db"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);
    file.write("\0\0\0\x63", 4);
  }
  const auto store = Store::Open(tree.Path("db"), kVm);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnsupported);
}

// As the older version left it.
std::string MakeVersion1(const testing::TempTree& tree) {
  std::ifstream sql(OPENHOOK_STORE_FIXTURES "/version_1.sql");
  const std::string text(std::istreambuf_iterator<char>(sql), {});
  SQLite::Database database(tree.Path("db"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec(text);
  return tree.Path("db");
}

int VersionOf(const std::string& path) {
  return SQLite::Database(path).execAndGet("PRAGMA user_version").getInt();
}

TEST(Store, BringsTheFileOfTheVersionBeforeUpToDate) {
  const testing::TempTree tree;
  const std::string path = MakeVersion1(tree);
  {
    Store store = Store::Open(path, kVm).value();
    whitelist::Whitelist list = LoadList(&store);
    EXPECT_EQ(list.generation(), 3U);
    ASSERT_EQ(list.grants().size(), 3U);
    const Grant& disk = list.grants().at(1);
    EXPECT_EQ(disk.path.str(), "/srv/images/disk.img");
    EXPECT_EQ(disk.access, GrantAccess::kReadWrite);
    EXPECT_EQ(disk.aliases, std::vector<std::string>{"/srv/images/link.img"});
    EXPECT_EQ(disk.identity->ino, 10953593U);
    EXPECT_FALSE(disk.shareable || disk.ended_unix != 0);
    EXPECT_TRUE(disk.may_block) << "version 1 did not look at the file system";
    // What it could not hold before is kept from now on.
    ASSERT_TRUE(store.Save(Plan(list, {FullGrant()})));
  }
  EXPECT_EQ(VersionOf(path), 2);
  const Loaded loaded = Store::Open(path, kVm)->Load().value();
  EXPECT_EQ(loaded.whitelist.grants().size(), 4U);
  EXPECT_TRUE(loaded.whitelist.grants().rbegin()->second.shareable);
}

// Columns are read by position, so a migrated file must not have them in another order.
TEST(Store, AMigratedFileHasTheTablesOfANewOne) {
  const testing::TempTree old_tree;
  const testing::TempTree new_tree;
  const std::string migrated = MakeVersion1(old_tree);
  ASSERT_TRUE(Store::Open(migrated, kVm));
  ASSERT_TRUE(Store::Open(new_tree.Path("db"), kVm));
  const auto columns = [](const std::string& path) {
    SQLite::Database database(path);
    SQLite::Statement query(
        database,
        "SELECT m.name, c.cid, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type = 'table' ORDER BY m.name, c.cid");
    std::vector<std::string> lines;
    while (query.executeStep()) {
      lines.push_back(query.getColumn(0).getString() + "." + query.getColumn(1).getString() + " " +
                      query.getColumn(2).getString() + " " + query.getColumn(3).getString());
    }
    return lines;
  };
  EXPECT_EQ(columns(migrated), columns(new_tree.Path("db")));
}

TEST(Store, AFullDiskChangesNothing) {
  const testing::TempTree tree;
  Store store = Store::Open(tree.Path("db"), kVm).value();
  whitelist::Whitelist list = LoadList(&store);
  const Change first = Plan(list, {FullGrant()});
  ASSERT_TRUE(store.Save(first));
  list.Apply(first);

  // A file-size limit stands for the full disk: the write fails in the middle of the log.
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{64 * 1024, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::vector<Grant> many;
  for (int i = 0; i < 2000; ++i) {
    many.push_back(whitelist::File("/f" + std::to_string(i), GrantAccess::kRead, 10));
  }
  const auto saved = store.Save(Plan(list, many));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  (void)std::signal(SIGXFSZ, previous);

  ASSERT_FALSE(saved);
  EXPECT_EQ(store.Load()->whitelist.grants().size(), 1U);
  EXPECT_TRUE(store.Save(Plan(list, {whitelist::File("/later", GrantAccess::kRead, 11)})));
}

}  // namespace
}  // namespace openhook::store
