// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/ending.h"

#include <gtest/gtest.h>

#include <map>

#include "broker/whitelist/decide.h"
#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

class EndingTest : public ::testing::Test {
 protected:
  HeldProbe Probe() {
    return [this](const FileIdentity& identity) {
      const auto held = held_.find(identity.ino);
      return held == held_.end() ? Held::kNot : held->second;
    };
  }

  void Revoke(const std::string& lease) {
    Change change = list_.PlanRevoke(lease, {}).value();
    KeepWhatIsHeld(list_, Probe(), 77, &change);
    list_.Apply(change);
  }

  void LetGo() {
    const Change change = PlanLetGo(list_, Probe());
    if (!change.IsEmpty()) {
      list_.Apply(change);
    }
  }

  Decision Open(const std::string& path, openhook::Access access) {
    OpenIntent intent;
    intent.access = access;
    return DecideOpen(list_, {path, ""}, intent);
  }

  Whitelist list_;
  std::map<std::uint64_t, Held> held_;  // by inode
};

TEST_F(EndingTest, WhatNobodyHoldsIsGoneAtOnce) {
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kReadWrite, 1)}));
  Revoke("domain");
  EXPECT_TRUE(list_.grants().empty());
  EXPECT_TRUE(list_.ended().empty());
}

TEST_F(EndingTest, WhatIsHeldStaysReadableAndIsNeverWritableAgain) {
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kReadWrite, 1)}));
  held_[1] = Held::kForWriting;
  Revoke("domain");
  ASSERT_EQ(list_.ended().size(), 1U);
  EXPECT_EQ(list_.grants().begin()->second.ended_unix, 77);
  EXPECT_EQ(list_.LeaseCount(), 0U);
  EXPECT_EQ(Open("/a", Access::kRead).verdict, Verdict::kAllow);
  EXPECT_EQ(Open("/a", Access::kReadWrite).rule, Rule::kLeaseEnded);
  held_[1] = Held::kForReading;
  LetGo();
  EXPECT_EQ(list_.ended().size(), 1U);
  held_.clear();
  LetGo();
  EXPECT_EQ(Open("/a", Access::kRead).rule, Rule::kNotWhitelisted);
  EXPECT_TRUE(list_.grants().empty());
}

TEST_F(EndingTest, WhatAnotherLeaseGivesNeedsNoKeeping) {
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kReadWrite, 1, "job:x")}));
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kRead, 1, "domain")}));
  held_[1] = Held::kForReading;
  Revoke("job:x");
  EXPECT_TRUE(list_.ended().empty());
  EXPECT_FALSE(list_.Find("/a").entry->writable);
}

// The VM may write although no lease says so any more: until it reopens the file, that is recorded.
TEST_F(EndingTest, AWritableDescriptorIsRememberedBesideAReadGrant) {
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kReadWrite, 1, "job:x")}));
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kRead, 1, "domain")}));
  held_[1] = Held::kForWriting;
  Revoke("job:x");
  ASSERT_EQ(list_.ended().size(), 1U);
  EXPECT_FALSE(list_.Find("/a").entry->ended) << "a live lease gives reading";
  EXPECT_EQ(Open("/a", Access::kReadWrite).rule, Rule::kReadOnlyGrant);
  held_[1] = Held::kForReading;
  LetGo();
  EXPECT_TRUE(list_.ended().empty());
  EXPECT_EQ(Open("/a", Access::kRead).verdict, Verdict::kAllow);
}

TEST_F(EndingTest, AFileThatTheVmMadeIsKeptLikeAnyOther) {
  ASSERT_TRUE(Give(&list_, {Folder("/out", "job:x")}));
  list_.Apply(list_.PlanCreated(Made("/out/new", 5, "job:x")));
  held_[5] = Held::kForWriting;
  Revoke("job:x");
  EXPECT_TRUE(list_.created().empty());
  EXPECT_EQ(Open("/out/new", Access::kRead).verdict, Verdict::kAllow);
  EXPECT_EQ(DecideUnlink(list_, {"/out/new", ""}).rule, Rule::kUnlinkNotOwn);
}

TEST_F(EndingTest, EndingTwiceKeepsOneRecord) {
  held_[1] = Held::kForWriting;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kReadWrite, 1)}));
    EXPECT_EQ(Open("/a", Access::kReadWrite).verdict, Verdict::kAllow) << "granted again";
    Revoke("domain");
    EXPECT_EQ(list_.ended().size(), 1U);
    EXPECT_EQ(list_.grants().size(), 1U);
  }
}

TEST_F(EndingTest, AnEndedGrantCannotBeRevokedAndSaysWhy) {
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kRead, 1)}));
  held_[1] = Held::kForReading;
  Revoke("domain");
  const auto again = list_.PlanRevoke("", {"/a"});
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().context.find("until the VM closes it"), std::string::npos);
}

TEST_F(EndingTest, AnotherFileUnderTheNameDoesNotInherit) {
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kReadWrite, 1)}));
  held_[1] = Held::kForWriting;
  Revoke("domain");
  ASSERT_TRUE(Give(&list_, {File("/a", GrantAccess::kRead, 2)}));
  EXPECT_EQ(list_.Find("/a").entry->identity->ino, 2U);
  LetGo();
  EXPECT_EQ(list_.grants().size(), 1U) << "the old file's record is stale and goes";
}

TEST_F(EndingTest, AnEntryWithoutAnyGrantsChangesNothing) {
  const Change change = PlanLetGo(list_, Probe());
  EXPECT_TRUE(change.IsEmpty());
  EXPECT_EQ(change.generation, list_.generation());
}

}  // namespace
}  // namespace openhook::whitelist
