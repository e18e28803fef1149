// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What each announcement of libvirt does to the whitelist of a VM with one disk.

#include "broker/whitelist/announced.h"

#include <gtest/gtest.h>

#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

constexpr const char* kDisk = "device:vda";

// vda: /p/top -> /p/mid -> /p/base, of which the VM writes /p/top.
class AnnouncedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Give(&list_, {Member("/p/top", 1, 0, GrantAccess::kReadWrite, kDisk),
                              Member("/p/mid", 2, 1, GrantAccess::kRead, kDisk),
                              Member("/p/base", 3, 2, GrantAccess::kRead, kDisk)}));
    Record({"vda", kDisk, true, {Image("/p/top"), Image("/p/mid"), Image("/p/base")}});
  }

  void Record(const ChainRecord& record) {
    Change change;
    change.generation = list_.generation() + 1;
    change.chains = {record};
    list_.Apply(change);
  }

  void Follow(const Result<Change>& change) {
    ASSERT_TRUE(change) << change.error().Message();
    if (!change->IsEmpty()) {
      list_.Apply(*change);
    }
  }

  void Acquire(const std::string& path, Use use) {
    const auto change = PlanAcquired(list_, path, use);
    ASSERT_TRUE(change && *change);
    Follow(**change);
  }

  void Release(const std::string& path, std::set<std::uint64_t> written = {}) {
    Follow(PlanReleased(
        list_,
        [written](const FileIdentity& file) {
          return written.contains(file.ino) ? Held::kForWriting : Held::kNot;
        },
        path));
  }

  // "rw", "r" or "-" for each path, in order.
  [[nodiscard]] std::string Access(const std::vector<std::string>& paths) const {
    std::string text;
    for (const std::string& path : paths) {
      const Entry* entry = list_.Find(path).entry;
      text += entry == nullptr ? " -" : entry->writable ? " rw" : " r";
    }
    return text.substr(1);
  }
  [[nodiscard]] std::string Disk() const { return Access({"/p/top", "/p/mid", "/p/base"}); }

  [[nodiscard]] std::string ChainOf(const std::string& disk) const {
    std::string text;
    for (const ChainImage& image : list_.chains().at(disk).images) {
      text += image.path.str();
    }
    return text;
  }

  Whitelist list_;
};

TEST_F(AnnouncedTest, AnImageThatTheVmHasChangesNothing) {
  for (const auto& [path, use] : {std::pair("/p/top", Use::kWrite), std::pair("/p/top", Use::kRead),
                                  std::pair("/p/base", Use::kRead)}) {
    const auto change = PlanAcquired(list_, path, use);
    ASSERT_TRUE(change && *change);
    EXPECT_TRUE((*change)->IsEmpty());
  }
}

TEST_F(AnnouncedTest, AnImageThatNoChainHasIsNew) {
  const auto change = PlanAcquired(list_, "/p/other", Use::kWrite);
  ASSERT_TRUE(change);
  EXPECT_FALSE(*change);
}

TEST_F(AnnouncedTest, TheBaseOfACommitIsForWritingUntilItIsAnnouncedForReading) {
  Acquire("/p/base", Use::kWrite);
  EXPECT_EQ(Disk(), "rw r rw");
  Acquire("/p/base", Use::kRead);
  EXPECT_EQ(Disk(), "rw r r");
}

TEST_F(AnnouncedTest, TwoCommitsOfOneChainDoNotTakeEachOthersAccess) {
  Acquire("/p/base", Use::kWrite);
  Acquire("/p/mid", Use::kWrite);
  Acquire("/p/base", Use::kRead);
  EXPECT_EQ(Disk(), "rw rw r");
}

TEST_F(AnnouncedTest, AReleasedDiskIsGone) {
  Release("/p/top");
  EXPECT_EQ(Disk(), "- - -");
  EXPECT_TRUE(list_.chains().empty());
}

TEST_F(AnnouncedTest, ACommitThatPivotedLeavesTheBaseAsTheDisk) {
  Acquire("/p/base", Use::kWrite);
  Release("/p/top", {3});
  EXPECT_EQ(Disk(), "- - rw");
  EXPECT_EQ(ChainOf("vda"), "/p/base");
  EXPECT_TRUE(list_.GrantsOfLease(kWritingLease).empty());
}

TEST_F(AnnouncedTest, ADiskThatGoesAfterItsCommitWasAbortedTakesTheBaseAlong) {
  Acquire("/p/base", Use::kWrite);
  Release("/p/top");
  EXPECT_EQ(Disk(), "- - rw") << "until writing is known to be unused";
  EXPECT_TRUE(list_.chains().empty());
  Acquire("/p/base", Use::kRead);
  EXPECT_EQ(Disk(), "- - -");
}

TEST_F(AnnouncedTest, APivotIsSeenByWhatTheVmWritesTo) {
  Release("/p/top", {2});
  EXPECT_EQ(Disk(), "- rw r");
  EXPECT_EQ(ChainOf("vda"), "/p/mid/p/base");
}

TEST_F(AnnouncedTest, AnActiveImageStandsDirectlyOnTheNextOneOnly) {
  EXPECT_TRUE(IsActiveOn(list_, "/p/top", "/p/mid"));
  EXPECT_FALSE(IsActiveOn(list_, "/p/top", "/p/base"));
  EXPECT_FALSE(IsActiveOn(list_, "/p/mid", "/p/base"));
  EXPECT_FALSE(IsActiveOn(list_, "/p/top", ""));
}

TEST_F(AnnouncedTest, WhatTheVmWritesToIsAskedOfActiveImages) {
  const HeldProbe all = [](const FileIdentity&) { return Held::kForWriting; };
  const HeldProbe reading = [](const FileIdentity&) { return Held::kForReading; };
  EXPECT_TRUE(WritesTo(list_, all, "/p/top"));
  EXPECT_FALSE(WritesTo(list_, reading, "/p/top"));
  EXPECT_FALSE(WritesTo(list_, all, "/p/mid"));
  EXPECT_FALSE(WritesTo(list_, all, "/p/other"));
}

TEST_F(AnnouncedTest, AnImageBelowIsNotTakenByItsReleaseAlone) {
  Release("/p/mid");
  EXPECT_EQ(Disk(), "rw r r");
  EXPECT_EQ(DisksOn(list_, "/p/mid"), std::vector<std::string>{"vda"});
}

TEST_F(AnnouncedTest, AnOverlayBecomesTheDisk) {
  ASSERT_TRUE(Give(&list_, {Member("/p/new", 9, 0, GrantAccess::kReadWrite, "libvirt:1")}));
  Record({"/p/new",
          "libvirt:1",
          true,
          {Image("/p/new"), Image("/p/top"), Image("/p/mid"), Image("/p/base")}});
  const ChainRecord& overlay = list_.chains().at("/p/new");
  const ChainRecord* disk = DiskBelow(list_, overlay);
  ASSERT_NE(disk, nullptr);
  Follow(PlanOnTop(list_, *disk, overlay));
  EXPECT_EQ(Access({"/p/new", "/p/top", "/p/mid", "/p/base"}), "rw r r r");
  EXPECT_EQ(ChainOf("vda"), "/p/new/p/top/p/mid/p/base");
  EXPECT_TRUE(list_.GrantsOfLease("libvirt:1").empty());
}

TEST_F(AnnouncedTest, AnImageForReadingIsNoOverlay) {
  ASSERT_TRUE(Give(&list_, {Member("/p/cd", 9, 0, GrantAccess::kRead, "libvirt:1")}));
  Record({"/p/cd", "libvirt:1", false, {Image("/p/cd"), Image("/p/top")}});
  EXPECT_EQ(DiskBelow(list_, list_.chains().at("/p/cd")), nullptr);
}

TEST_F(AnnouncedTest, ADataFileOfANewImageHasToBeTheVmsForWriting) {
  const auto with_data = [](const std::string& data) {
    ChainImage image = Image("/p/x");
    image.parts = {At(data)};
    return std::vector{image};
  };
  for (const DriftPolicy policy : {DriftPolicy::kPool, DriftPolicy::kStrict}) {
    EXPECT_TRUE(MayStandOn(list_, with_data("/p/top"), Use::kWrite, {policy, {}}));
    EXPECT_FALSE(MayStandOn(list_, with_data("/p/base"), Use::kWrite, {policy, {}}));
    EXPECT_TRUE(MayStandOn(list_, with_data("/p/base"), Use::kRead, {policy, {}}));
  }
  EXPECT_FALSE(MayStandOn(list_, with_data("/p/y"), Use::kWrite, {}));
  EXPECT_TRUE(MayStandOn(list_, with_data("/p/y"), Use::kRead, {}));
}

TEST_F(AnnouncedTest, DevicesDoNotLieBesideEachOther) {
  EXPECT_FALSE(MayStandOn(list_, {Image("/dev/dm-7"), Image("/dev/sda")}, Use::kWrite, {}));
  EXPECT_TRUE(MayStandOn(list_, {Image("/dev/dm-7"), Image("/dev/vg/base")}, Use::kWrite,
                         {DriftPolicy::kPool, {At("/dev/vg")}}));
}

TEST_F(AnnouncedTest, ANewImageMayStandOnWhatTheVmHasOrWhatLiesBesideIt) {
  const DriftRules pool{DriftPolicy::kPool, {At("/pool")}};
  const DriftRules strict{DriftPolicy::kStrict, {}};
  EXPECT_TRUE(MayStandOn(list_, {Image("/d/x"), Image("/d/y")}, Use::kWrite, pool));
  EXPECT_TRUE(MayStandOn(list_, {Image("/d/x"), Image("/p/base")}, Use::kWrite, strict));
  EXPECT_TRUE(MayStandOn(list_, {Image("/d/x"), Image("/pool/deep/y")}, Use::kWrite, pool));
  EXPECT_FALSE(MayStandOn(list_, {Image("/d/x"), Image("/elsewhere/y")}, Use::kWrite, pool));
  EXPECT_FALSE(MayStandOn(list_, {Image("/d/x"), Image("/d/deep/y")}, Use::kWrite, pool));
  EXPECT_FALSE(MayStandOn(list_, {Image("/d/x"), Image("/d/y")}, Use::kWrite, strict));
  EXPECT_TRUE(MayStandOn(list_, {Image("/d/x"), Image("/elsewhere/y")}, Use::kWrite,
                         {DriftPolicy::kTrust, {}}));
}

TEST_F(AnnouncedTest, TheEndOfTheMachineLeavesWhatAnAdministratorGave) {
  ASSERT_TRUE(Give(&list_, {File("/p/kept", GrantAccess::kRead, 20, "admin:alice"),
                            File("/p/rom", GrantAccess::kRead, 21, "domain")}));
  Acquire("/p/base", Use::kWrite);
  Follow(PlanMachineEnded(list_));
  EXPECT_EQ(list_.grants().size(), 1U);
  EXPECT_TRUE(PlanMachineEnded(list_).IsEmpty());
}

TEST_F(AnnouncedTest, TheChainsOfTheDefinitionAreRememberedForTheNextStart) {
  Record({"/p/x", "libvirt:1", true, {Image("/p/x")}});
  Follow(PlanMachineEnded(list_));
  EXPECT_EQ(Disk(), "- - -");
  EXPECT_EQ(list_.chains().size(), 1U);
  EXPECT_EQ(ChainOf("vda"), "/p/top/p/mid/p/base");
}

}  // namespace
}  // namespace openhook::whitelist
