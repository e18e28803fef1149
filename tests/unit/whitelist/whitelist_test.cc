// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/whitelist.h"

#include <gtest/gtest.h>

#include "broker/base/limits.h"
#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

const Entry* Find(const Whitelist& list, const std::string& name) { return list.Find(name).entry; }

TEST(Whitelist, EndingALeaseNeverTakesWhatAnotherStillGives) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kReadWrite, 1, "domain")}));
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kReadWrite, 1, "job:commit-1")}));
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kRead, 1, "admin:alice")}));
  ASSERT_TRUE(Take(&list, "job:commit-1"));
  EXPECT_TRUE(Find(list, "/a")->writable);
  ASSERT_TRUE(Take(&list, "domain"));
  EXPECT_TRUE(Find(list, "/a")->readable);
  EXPECT_FALSE(Find(list, "/a")->writable);
  ASSERT_TRUE(Take(&list, "admin:alice"));
  EXPECT_EQ(Find(list, "/a"), nullptr);
}

TEST(Whitelist, RepeatingAGrantReplacesIt) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kRead, 1)}));
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kReadWrite, 1)}));
  EXPECT_EQ(list.grants().size(), 1U);
  EXPECT_TRUE(Find(list, "/a")->writable);
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kRead, 1)}));
  EXPECT_FALSE(Find(list, "/a")->writable);
}

TEST(Whitelist, ARequestIsTakenWholeOrNotAtAll) {
  Whitelist list;
  Grant bad = File("/b", GrantAccess::kRead, 2);
  bad.identity->kind = FileKind::kOther;
  EXPECT_FALSE(Give(&list, {File("/a", GrantAccess::kRead, 1), bad}));
  EXPECT_TRUE(list.grants().empty());
  EXPECT_EQ(list.generation(), 0U);
}

TEST(Whitelist, RefusesWhatCannotBeGranted) {
  struct BadGrant {
    Grant grant;
    const char* reason;
  };
  Grant directory = Folder("/d");
  directory.access = GrantAccess::kRead;
  Grant absent = NewName("/n");
  absent.access = GrantAccess::kReadWrite;
  Grant device = File("/dev/sdx", GrantAccess::kCreate, 1);
  device.identity->kind = FileKind::kBlock;
  Grant socket = File("/s", GrantAccess::kRead, 1);
  socket.identity->kind = FileKind::kOther;
  Grant source = File("/a", GrantAccess::kRead, 1);
  source.source = std::string(257, 's');
  const std::vector<BadGrant> rows = {
      {directory, "directory"},
      {absent, "does not exist"},
      {device, "--create"},
      {socket, "neither"},
      {source, "256"},
      {File("/a", GrantAccess::kRead, 1, ""), "lease name"},
      {File("/a", GrantAccess::kRead, 1, "with space"), "lease name"},
      {File("/a", GrantAccess::kRead, 1, "line\nbreak"), "lease name"},
      {File("/a", GrantAccess::kRead, 1, std::string(129, 'l')), "lease name"},
  };
  for (const BadGrant& row : rows) {
    Whitelist list;
    const auto given = Give(&list, {row.grant});
    ASSERT_FALSE(given) << row.reason;
    EXPECT_NE(given.error().context.find(row.reason), std::string::npos) << given.error().context;
  }
  Whitelist list;
  EXPECT_FALSE(Give(&list, {File("/a", GrantAccess::kRead, 1), File("/a", GrantAccess::kRead, 1)}));
}

TEST(Whitelist, AReplacedFileMakesOtherLeasesGrantsStale) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kReadWrite, 1, "domain")}));
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kRead, 2, "admin:alice")}));
  EXPECT_EQ(Find(list, "/a")->identity->ino, 2U);
  EXPECT_FALSE(Find(list, "/a")->writable) << "the old file's access must not reach the new one";
  ASSERT_TRUE(Take(&list, "admin:alice"));
  EXPECT_TRUE(Find(list, "/a")->stale);
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kReadWrite, 2, "domain")}));
  EXPECT_FALSE(Find(list, "/a")->stale);
}

TEST(Whitelist, ATurnedSymlinkCannotMakeOneNameMeanTwoFiles) {
  Whitelist list;
  Grant first = File("/a", GrantAccess::kRead, 1);
  first.aliases = {"/link"};
  ASSERT_TRUE(Give(&list, {first}));
  Grant second = File("/b", GrantAccess::kRead, 2);
  second.aliases = {"/link"};
  const auto given = Give(&list, {second});
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, ErrorCode::kConflict);
  EXPECT_NE(given.error().context.find("revoke '/a' first"), std::string::npos);
  ASSERT_TRUE(Take(&list, "domain"));
  ASSERT_TRUE(Give(&list, {second}));
  EXPECT_EQ(Find(list, "/link")->path.str(), "/b");
}

TEST(Whitelist, RevokesByPathByAliasAndByLease) {
  Whitelist list;
  Grant linked = File("/a", GrantAccess::kRead, 1);
  linked.aliases = {"/link"};
  ASSERT_TRUE(Give(&list, {linked, File("/b", GrantAccess::kRead, 2)}));
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kRead, 1, "admin:x")}));
  ASSERT_TRUE(Take(&list, "domain", {"/link"}));
  EXPECT_NE(Find(list, "/a"), nullptr);
  EXPECT_EQ(Find(list, "/link"), nullptr);
  ASSERT_TRUE(Take(&list, "", {"/a"}));
  EXPECT_EQ(Find(list, "/a"), nullptr);
  EXPECT_NE(Find(list, "/b"), nullptr);
}

TEST(Whitelist, RevokingWhatIsNotThereSaysSo) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {File("/a", GrantAccess::kRead, 1)}));
  EXPECT_EQ(Take(&list, "", {}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Take(&list, "other").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Take(&list, "", {"/b"}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Take(&list, "other", {"/a"}).error().code, ErrorCode::kNotFound);
}

TEST(Whitelist, CreatedFilesGoWithTheLeaseThatAllowedThem) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {Folder("/out", "job:dump")}));
  list.Apply(list.PlanCreated(Made("/out/x", 5, "job:dump")));
  ASSERT_NE(Find(list, "/out/x"), nullptr);
  ASSERT_TRUE(Take(&list, "job:dump"));
  EXPECT_EQ(Find(list, "/out/x"), nullptr);
  EXPECT_TRUE(list.created().empty());
}

TEST(Whitelist, AFileGrantedAfterItsCreationOutlivesTheCreatingLease) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {NewName("/overlay", "job:snapshot")}));
  list.Apply(list.PlanCreated(Made("/overlay", 5, "job:snapshot")));
  ASSERT_TRUE(Give(&list, {File("/overlay", GrantAccess::kReadWrite, 5, "domain")}));
  ASSERT_TRUE(Take(&list, "job:snapshot"));
  EXPECT_TRUE(Find(list, "/overlay")->writable);
  EXPECT_FALSE(Find(list, "/overlay")->created_by_vm);
}

TEST(Whitelist, ReplacingACreatedFileEndsTheVmsOwnership) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {Folder("/out")}));
  list.Apply(list.PlanCreated(Made("/out/x", 5)));
  ASSERT_TRUE(Give(&list, {File("/out/x", GrantAccess::kRead, 6, "admin:x")}));
  EXPECT_FALSE(Find(list, "/out/x")->created_by_vm);
  EXPECT_FALSE(Find(list, "/out/x")->writable);
}

TEST(Whitelist, KnowsTheDirectoriesOfItsFilesAndForgetsThem) {
  Whitelist list;
  ASSERT_TRUE(Give(&list, {File("/a/b/c", GrantAccess::kRead, 1)}));
  EXPECT_TRUE(list.IsKnownDirectory("/a/b"));
  EXPECT_TRUE(list.IsKnownDirectory("/a"));
  EXPECT_FALSE(list.IsKnownDirectory("/a/b/c"));
  ASSERT_TRUE(Take(&list, "domain"));
  EXPECT_FALSE(list.IsKnownDirectory("/a"));
}

TEST(Whitelist, TheNumberOfGrantsIsLimited) {
  Whitelist list;
  std::vector<Grant> grants;
  for (std::size_t i = 0; i <= limits::kMaxGrants; ++i) {
    grants.push_back(File("/f" + std::to_string(i), GrantAccess::kRead, i + 1));
  }
  Grant last = std::move(grants.back());
  grants.pop_back();
  ASSERT_TRUE(Give(&list, std::move(grants)));
  const auto given = Give(&list, {last});
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace openhook::whitelist
