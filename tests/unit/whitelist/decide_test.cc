// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/decide.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

OpenIntent Intent(Access access) {
  OpenIntent intent;
  intent.access = access;
  return intent;
}

OpenIntent Creating() {
  OpenIntent intent = Intent(Access::kReadWrite);
  intent.create = true;
  return intent;
}

class Decide : public ::testing::Test {
 protected:
  void SetUp() override {
    Grant linked = File("/img/top.qcow2", GrantAccess::kReadWrite, 1);
    linked.aliases = {"/link/top.qcow2", "/img/sub/../top.qcow2"};
    ASSERT_TRUE(Give(
        &list_, {linked, File("/img/sub/base.qcow2", GrantAccess::kRead, 2),
                 File("/img/dump", GrantAccess::kCreate, 3), NewName("/img/new"), Folder("/out")}));
    list_.Apply(list_.PlanCreated(Made("/out/made", 7, "domain", 42)));
  }

  Decision OpenIt(const std::string& path, const OpenIntent& intent, const std::string& cwd = "") {
    return DecideOpen(list_, {path, cwd}, intent);
  }
  void ExpectDenied(const Decision& decision, Rule rule) {
    EXPECT_EQ(decision.verdict, Verdict::kDeny);
    EXPECT_EQ(TextOf(decision.rule).word, TextOf(rule).word);
    EXPECT_EQ(decision.step, Step::kNone);
  }
  void ExpectAllowed(const Decision& decision, Step step, const std::string& path) {
    EXPECT_EQ(decision.verdict, Verdict::kAllow) << TextOf(decision.rule).word;
    EXPECT_EQ(decision.step, step);
    EXPECT_EQ(decision.path, path);
  }

  Whitelist list_;
};

TEST_F(Decide, AReadWriteGrantServesEveryAccess) {
  for (const Access access : {Access::kRead, Access::kWrite, Access::kReadWrite}) {
    ExpectAllowed(OpenIt("/img/top.qcow2", Intent(access)), Step::kUseExisting, "/img/top.qcow2");
  }
}

TEST_F(Decide, AReadGrantRefusesWriting) {
  ExpectAllowed(OpenIt("/img/sub/base.qcow2", Intent(Access::kRead)), Step::kUseExisting,
                "/img/sub/base.qcow2");
  for (const Access access : {Access::kWrite, Access::kReadWrite}) {
    ExpectDenied(OpenIt("/img/sub/base.qcow2", Intent(access)), Rule::kReadOnlyGrant);
  }
}

TEST_F(Decide, LookAlikesAreNotGranted) {
  for (const char* path : {"/img/top.qcow", "/img/top.qcow22", "/img/top.qcow2/x", "/img", "/im",
                           "/img/sub", "/IMG/top.qcow2", "/img/top.qcow2 "}) {
    ExpectDenied(OpenIt(path, Intent(Access::kRead)), Rule::kNotWhitelisted);
  }
}

TEST_F(Decide, UncanonicalSpellingsReachTheSameEntry) {
  for (const char* path : {"//img//./top.qcow2", "/img/sub/../top.qcow2", "/img/top.qcow2/"}) {
    ExpectAllowed(OpenIt(path, Intent(Access::kRead)), Step::kUseExisting, "/img/top.qcow2");
  }
  ExpectAllowed(OpenIt("sub/base.qcow2", Intent(Access::kRead), "/img"), Step::kUseExisting,
                "/img/sub/base.qcow2");
}

TEST_F(Decide, DotDotIsFoldedOnlyOverDirectoriesKnownToBeReal) {
  const Decision folded = OpenIt("/img/sub/../sub/base.qcow2", Intent(Access::kRead));
  ExpectAllowed(folded, Step::kUseExisting, "/img/sub/base.qcow2");
  EXPECT_TRUE(folded.alias.empty());
  ExpectDenied(OpenIt("/elsewhere/../img/top.qcow2", Intent(Access::kRead)), Rule::kNotWhitelisted);
}

TEST_F(Decide, AnAliasHasToBeVerifiedAgain) {
  const Decision decision = OpenIt("/link/top.qcow2", Intent(Access::kRead));
  ExpectAllowed(decision, Step::kUseExisting, "/img/top.qcow2");
  EXPECT_EQ(decision.alias, "/link/top.qcow2");
  ASSERT_NE(decision.alias_identity, nullptr);
  EXPECT_EQ(decision.alias_identity->ino, 1U);
  OpenIntent no_follow = Intent(Access::kRead);
  no_follow.no_follow = true;
  ExpectDenied(OpenIt("/link/top.qcow2", no_follow), Rule::kAliasChanged);
}

TEST_F(Decide, EveryUnknownFlagIsRefused) {
  for (int bit = 0; bit < 32; ++bit) {
    OpenIntent intent = Intent(Access::kRead);
    intent.other_flags = 1U << bit;
    ExpectDenied(OpenIt("/img/top.qcow2", intent), Rule::kUnknownFlags);
  }
}

TEST_F(Decide, TruncatingNeedsACreateGrantAndWriteAccess) {
  OpenIntent truncate = Intent(Access::kReadWrite);
  truncate.truncate = true;
  ExpectDenied(OpenIt("/img/top.qcow2", truncate), Rule::kTruncateNotGranted);
  ExpectAllowed(OpenIt("/img/dump", truncate), Step::kUseExisting, "/img/dump");
  ExpectAllowed(OpenIt("/out/made", truncate), Step::kUseExisting, "/out/made");
  truncate.access = Access::kRead;
  ExpectDenied(OpenIt("/img/dump", truncate), Rule::kTruncateNotGranted);
}

TEST_F(Decide, ANewNameIsLookedForUntilItIsCreated) {
  ExpectAllowed(OpenIt("/img/new", Intent(Access::kRead)), Step::kLookForName, "/img/new");
  ExpectAllowed(OpenIt("/img/new", Creating()), Step::kCreate, "/img/new");
  ExpectAllowed(DecideStat(list_, {"/img/new", ""}), Step::kLookForName, "/img/new");
}

TEST_F(Decide, ADirectoryGrantCoversFilesDirectlyInIt) {
  const Decision decision = OpenIt("/out/x.dump", Creating());
  ExpectAllowed(decision, Step::kCreate, "/out/x.dump");
  ASSERT_NE(decision.directory, nullptr);
  EXPECT_EQ(decision.directory->ino, 1000U);
  ExpectAllowed(OpenIt("/out/x.dump", Intent(Access::kRead)), Step::kLookForName, "/out/x.dump");
  ExpectDenied(OpenIt("/out/deeper/x", Creating()), Rule::kNotWhitelisted);
  ExpectDenied(OpenIt("/outside", Creating()), Rule::kNotWhitelisted);
  ExpectDenied(OpenIt("/out/..", Creating()), Rule::kNotWhitelisted);
}

TEST_F(Decide, TheDirectoryItselfIsNotOpened) {
  const Decision decision = OpenIt("/out", Intent(Access::kReadWrite));
  ExpectDenied(decision, Rule::kDirectory);
  // memory-backend-file takes EISDIR as the sign to make a file of its own in there.
  EXPECT_EQ(TextOf(decision.rule).sys_errno, EISDIR);
}

TEST_F(Decide, WhatTheVmMadeIsItsOwn) {
  ExpectAllowed(OpenIt("/out/made", Intent(Access::kReadWrite)), Step::kUseExisting, "/out/made");
  ExpectAllowed(DecideUnlink(list_, {"/out/made", ""}), Step::kUseExisting, "/out/made");
  ExpectDenied(DecideUnlink(list_, {"/img/top.qcow2", ""}), Rule::kUnlinkNotOwn);
  ExpectDenied(DecideUnlink(list_, {"/img/dump", ""}), Rule::kUnlinkNotOwn);
}

TEST_F(Decide, AnExclusiveCreateOfAnExistingFileOnlyServesItsOwnRepetition) {
  OpenIntent exclusive = Creating();
  exclusive.exclusive = true;
  EXPECT_EQ(OpenIt("/out/made", exclusive).step, Step::kAlreadyThere);
  exclusive.token = 42;
  EXPECT_EQ(OpenIt("/out/made", exclusive).step, Step::kUseExisting);
  exclusive.token = 43;
  EXPECT_EQ(OpenIt("/out/made", exclusive).step, Step::kAlreadyThere);
  // No token was recorded for files of other requests: 0 must not match 0.
  list_.Apply(list_.PlanCreated(Made("/out/untold", 8)));
  exclusive.token = 0;
  EXPECT_EQ(OpenIt("/out/untold", exclusive).step, Step::kAlreadyThere);
}

TEST_F(Decide, SystemFilesAreNotOursUnlessGranted) {
  EXPECT_EQ(OpenIt("/usr/share/qemu/bios.bin", Intent(Access::kRead)).verdict, Verdict::kNotMine);
  EXPECT_EQ(DecideStat(list_, {"/proc/self/exe", ""}).verdict, Verdict::kNotMine);
  ASSERT_TRUE(Give(&list_, {File("/usr/share/disk.img", GrantAccess::kRead, 70)}));
  ExpectAllowed(OpenIt("/usr/share/disk.img", Intent(Access::kRead)), Step::kUseExisting,
                "/usr/share/disk.img");
  ExpectDenied(OpenIt("/etc/shadow", Intent(Access::kRead)), Rule::kNotWhitelisted);
}

TEST_F(Decide, MalformedNamesAreRefused) {
  for (const std::string& path : {std::string(), std::string("relative"), std::string("/a\0b", 4),
                                  "/" + std::string(5000, 'a')}) {
    ExpectDenied(OpenIt(path, Intent(Access::kRead)), Rule::kMalformedName);
  }
}

TEST_F(Decide, AccessAnswersWhatOpenWould) {
  EXPECT_EQ(DecideAccess(list_, {"/img/top.qcow2", ""}, {true, true, false}).verdict,
            Verdict::kAllow);
  EXPECT_EQ(DecideAccess(list_, {"/img/sub/base.qcow2", ""}, {true, false, false}).verdict,
            Verdict::kAllow);
  ExpectDenied(DecideAccess(list_, {"/img/sub/base.qcow2", ""}, {false, true, false}),
               Rule::kReadOnlyGrant);
  ExpectDenied(DecideAccess(list_, {"/img/top.qcow2", ""}, {false, false, true}), Rule::kExecute);
  ExpectDenied(DecideAccess(list_, {"/nowhere", ""}, {}), Rule::kNotWhitelisted);
}

TEST(Rules, EveryRuleTellsAWordAReasonAndAnErrno) {
  for (int i = 0; i <= static_cast<int>(Rule::kMalformedName); ++i) {
    const RuleText& text = TextOf(static_cast<Rule>(i));
    EXPECT_FALSE(text.word.empty()) << i;
    EXPECT_FALSE(text.reason.empty()) << i;
    EXPECT_LE(text.reason.size(), 200U) << i;
    EXPECT_NE(text.sys_errno, EINTR) << i;
    EXPECT_EQ(text.sys_errno == 0, i <= static_cast<int>(Rule::kSystemFile)) << i;
  }
}

}  // namespace
}  // namespace openhook::whitelist
