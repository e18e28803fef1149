// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/whitelist/drift.h"

#include <gtest/gtest.h>

#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

class DriftTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Change change;
    change.generation = 1;
    change.chains = {{"vda", "domain", true, {Image("/vm/top"), Image("/base/old")}},
                     {"vdb", "domain", true, {Image("/other/disk")}}};
    list_.Apply(change);
  }

  Result<void> Follow(const std::vector<ChainImage>& seen, const DriftRules& rules) {
    return MayFollow(list_, list_.chains().at("vda"), seen, rules);
  }

  Whitelist list_;
};

TEST_F(DriftTest, TheSameChainIsNoDrift) {
  const ChainRecord& record = list_.chains().at("vda");
  EXPECT_FALSE(FindDrift(record, record.images));
  EXPECT_TRUE(Follow(record.images, {DriftPolicy::kStrict, {}}));
}

TEST_F(DriftTest, TellsWhereTheChainsPart) {
  const ChainRecord& record = list_.chains().at("vda");
  const auto changed = FindDrift(record, {Image("/vm/top"), Image("/etc/shadow")});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->depth, 1U);
  EXPECT_EQ(changed->recorded, At("/base/old"));
  EXPECT_EQ(changed->seen, At("/etc/shadow"));
  const auto shorter = FindDrift(record, {Image("/vm/top")});
  EXPECT_EQ(shorter->recorded, At("/base/old"));
  EXPECT_FALSE(shorter->seen);
  const auto longer = FindDrift(record, {Image("/vm/top"), Image("/base/old"), Image("/x")});
  EXPECT_EQ(longer->seen, At("/x"));
  ChainImage with_data = Image("/vm/top");
  with_data.parts = {At("/vm/data")};
  EXPECT_EQ(FindDrift(record, {with_data, Image("/base/old")})->seen, At("/vm/data"));
}

TEST_F(DriftTest, APoolIsWhereKnownFilesOfThisVmLie) {
  EXPECT_TRUE(Follow({Image("/vm/top"), Image("/vm/new")}, {}));
  EXPECT_TRUE(Follow({Image("/vm/top"), Image("/other/new")}, {})) << "beside another of its disks";
  EXPECT_FALSE(Follow({Image("/vm/top"), Image("/vm/sub/new")}, {})) << "not below it";
  EXPECT_FALSE(Follow({Image("/vm/top"), Image("/pool/new")}, {}));
  EXPECT_TRUE(Follow({Image("/vm/top"), Image("/pool/sub/new")}, {.pools = {At("/pool")}}));
  EXPECT_FALSE(Follow({Image("/vm/top"), Image("/pools/new")}, {.pools = {At("/pool")}}));
}

TEST_F(DriftTest, ADataFileHasToLieInAPoolAsWell) {
  ChainImage image = Image("/vm/top");
  image.parts = {At("/etc/shadow")};
  EXPECT_FALSE(Follow({image, Image("/base/old")}, {}));
}

TEST_F(DriftTest, ADataFileOfTheActiveImageHasToBeTheVmsForWriting) {
  ChainImage image = Image("/vm/top");
  image.parts = {At("/vm/data")};
  EXPECT_FALSE(Follow({image, Image("/base/old")}, {})) << "it lies beside, and is not the VM's";
  image.parts = {At("/base/old")};
  EXPECT_FALSE(Follow({image}, {})) << "what it may read is not for writing";
  ASSERT_TRUE(Give(&list_, {File("/vm/data", GrantAccess::kReadWrite, 7)}));
  image.parts = {At("/vm/data")};
  EXPECT_TRUE(Follow({image, Image("/base/old")}, {}));
}

TEST_F(DriftTest, DevicesDoNotLieBesideEachOther) {
  Change change;
  change.generation = 2;
  change.chains = {{"vdc", "domain", true, {Image("/dev/dm-7")}}};
  list_.Apply(change);
  EXPECT_FALSE(
      MayFollow(list_, list_.chains().at("vdc"), {Image("/dev/dm-7"), Image("/dev/sda")}, {}));
}

TEST_F(DriftTest, ARefusalNamesOldAndNewAndTheRemedy) {
  const auto refused = Follow({Image("/vm/top"), Image("/etc/shadow")}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermission);
  for (const char* words :
       {"'/base/old'", "'/etc/shadow'", "openhookctl chain accept 'vda'", "pool"}) {
    EXPECT_NE(refused.error().context.find(words), std::string::npos) << words;
  }
}

TEST_F(DriftTest, StrictFollowsNothingAndTrustEverything) {
  EXPECT_FALSE(Follow({Image("/vm/top"), Image("/vm/new")}, {DriftPolicy::kStrict, {}}));
  EXPECT_TRUE(Follow({Image("/etc/shadow")}, {DriftPolicy::kTrust, {}}));
}

TEST_F(DriftTest, PoliciesHaveWords) {
  for (const DriftPolicy policy : {DriftPolicy::kPool, DriftPolicy::kStrict, DriftPolicy::kTrust}) {
    EXPECT_EQ(ParseDriftPolicy(ToString(policy)), policy);
  }
  EXPECT_FALSE(ParseDriftPolicy("loose"));
}

}  // namespace
}  // namespace openhook::whitelist
