// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/plan_grants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

using domain::Access;
using domain::Kind;
using testing::HasSubstr;
using testing::SizeIs;

PlannedGrant File(const std::string& path, Access access, const std::string& disk = "",
                  std::uint32_t depth = 0) {
  PlannedGrant grant{.path = path, .requested = path, .access = access};
  grant.source = disk.empty() ? "thing" : "disk " + disk;
  grant.disk = disk;
  grant.depth = depth;
  grant.role = disk.empty() ? "" : depth == 0 ? "image" : "backing";
  grant.exists = true;
  grant.identity = FileIdentity{.dev = 7, .ino = 8};
  return grant;
}

TEST(PlanGrants, ADiskIsARequestOfItsOwn) {
  HostPlan plan;
  plan.grants = {File("/vm/k", Access::kRead), File("/vm/top", Access::kReadWrite, "vda"),
                 File("/vm/base", Access::kRead, "vda", 1), File("/vm/cd", Access::kRead, "sda")};
  const auto grants = GrantsOfPlan(plan);
  ASSERT_THAT(grants.requests, SizeIs(3));
  EXPECT_EQ(grants.requests[0].lease(), "domain");
  EXPECT_EQ(grants.requests[0].disk(), "");
  EXPECT_EQ(grants.requests[1].lease(), "device:sda");
  EXPECT_FALSE(grants.requests[1].disk_writable());
  EXPECT_EQ(grants.requests[2].lease(), "device:vda");
  EXPECT_EQ(grants.requests[2].disk(), "vda");
  EXPECT_TRUE(grants.requests[2].disk_writable());
  ASSERT_THAT(grants.requests[2].grants(), SizeIs(2));
  EXPECT_EQ(grants.requests[2].grants(1).access(), proto::GRANT_ACCESS_READ);
  EXPECT_EQ(grants.requests[2].grants(1).depth(), 1U);
  EXPECT_EQ(grants.requests[2].grants(1).expected_ino(), 8U);
}

TEST(PlanGrants, OneFileIsOneGrantWithTheStrongestAccessAndAllNames) {
  HostPlan plan;
  plan.grants = {File("/vm/a", Access::kRead), File("/vm/a", Access::kReadWrite)};
  plan.grants[1].requested = "/vm/link";
  const auto grants = GrantsOfPlan(plan);
  ASSERT_THAT(grants.requests, SizeIs(1));
  ASSERT_THAT(grants.requests[0].grants(), SizeIs(1));
  EXPECT_EQ(grants.requests[0].grants(0).access(), proto::GRANT_ACCESS_READ_WRITE);
  EXPECT_EQ(grants.requests[0].grants(0).aliases(0), "/vm/link");
}

TEST(PlanGrants, WhatABrokerDoesNotGiveIsLeftOutWithTheReason) {
  HostPlan plan;
  plan.grants = {File("/run/s", Access::kReadWrite), File("/vm/d", Access::kList),
                 File("/vm/absent", Access::kRead), File("/boot/vmlinuz", Access::kRead),
                 File("/vm/new", Access::kCreate)};
  plan.grants[0].kind = Kind::kSocket;
  plan.grants[1].kind = Kind::kDirectory;
  plan.grants[2].exists = false;
  plan.grants[4].exists = false;
  const auto grants = GrantsOfPlan(plan);
  ASSERT_THAT(grants.left_out, SizeIs(4));
  EXPECT_THAT(grants.left_out[0], HasSubstr("socket"));
  EXPECT_THAT(grants.left_out[1], HasSubstr("listed"));
  EXPECT_THAT(grants.left_out[2], HasSubstr("not on this host"));
  EXPECT_THAT(grants.left_out[3], HasSubstr("copy it"));
  ASSERT_THAT(grants.requests, SizeIs(1));
  EXPECT_EQ(grants.requests[0].grants(0).path(), "/vm/new");
}

TEST(PlanGrants, ADiskWhoseImageIsNotThereHasNoChain) {
  HostPlan plan;
  plan.grants = {File("/vm/top", Access::kReadWrite, "vda"),
                 File("/vm/base", Access::kRead, "vda", 1)};
  plan.grants[0].exists = false;
  const auto grants = GrantsOfPlan(plan);
  ASSERT_THAT(grants.requests, SizeIs(1));
  EXPECT_EQ(grants.requests[0].lease(), "domain");
}

}  // namespace
}  // namespace openhook::ctl
