// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/broker_leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace openhook::aa_helper {
namespace {

using domain::Access;
using domain::Kind;
using testing::SizeIs;

ctl::PlannedGrant File(const std::string& path, Access access, const std::string& requested) {
  ctl::PlannedGrant grant{.path = path, .requested = requested, .access = access};
  grant.exists = true;
  return grant;
}

TEST(DomainGrants, OneForEachFileWithTheStrongestAccess) {
  ctl::HostPlan plan;
  plan.grants = {File("/vm/base", Access::kRead, "/vm/base"),
                 File("/vm/base", Access::kReadWrite, "/vm/link"),
                 File("/vm/base", Access::kRead, "/vm/link")};
  plan.grants[0].disk = plan.grants[2].disk = "vda";
  plan.grants[1].disk = "vdb";
  for (ctl::PlannedGrant& grant : plan.grants) {
    grant.role = "image";
  }
  const auto grants = DomainGrants(plan);
  ASSERT_THAT(grants, SizeIs(1));
  EXPECT_EQ(grants[0].access(), proto::GRANT_ACCESS_READ_WRITE);
  EXPECT_THAT(grants[0].aliases(), testing::ElementsAre("/vm/link"));
}

TEST(AppendedLeases, EachFileThatIsThereIsALeaseAndPatternsAreNone) {
  const std::string file = testing::TempDir() + "aa-appended";
  std::ofstream(file) << "x";
  const Leases leases = AppendedLeases({{.rule = {file, "", "rwk"}},
                                        {.rule = {testing::TempDir(), "{,**}", "rwk"}},
                                        {.rule = {testing::TempDir() + "absent", "", "rwk"}}});
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases.begin()->first, AppendedLeaseName(file));
  EXPECT_EQ(leases.begin()->second.front().access(), proto::GRANT_ACCESS_READ_WRITE);
  EXPECT_EQ(AppendedLeases({{.rule = {file, "", "rk"}}}).begin()->second.front().access(),
            proto::GRANT_ACCESS_READ);
  std::filesystem::remove(file);
}

TEST(AppendedLeases, TheirNamesAreShortAndOfOnePathEach) {
  const std::string long_path(4000, 'a');
  EXPECT_EQ(AppendedLeaseName(long_path).size(), AppendedLeaseName("/a").size());
  EXPECT_NE(AppendedLeaseName("/a"), AppendedLeaseName("/b"));
}

TEST(BrokerLeasesConnect, NoSocketIsNoBrokerAndAnUnansweredOneIsAnError) {
  const std::string run = testing::TempDir() + "aa-run";
  std::filesystem::create_directories(run + "/vm");
  const auto none = BrokerLeases::Connect(run, "vm");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
  std::ofstream(run + "/vm/control.sock") << "";
  EXPECT_FALSE(BrokerLeases::Connect(run, "vm"));
  std::filesystem::remove_all(run);
}

}  // namespace
}  // namespace openhook::aa_helper
