// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kRead = proto::GRANT_ACCESS_READ;
constexpr auto kWrite = proto::GRANT_ACCESS_READ_WRITE;

class Reconcile : public ::testing::Test {
 protected:
  void Want(const std::string& lease, const std::string& path, proto::GrantAccess access) {
    if (wanted_.requests.empty() || wanted_.requests.back().lease() != lease) {
      wanted_.requests.emplace_back().set_lease(lease);
    }
    proto::GrantSpec* spec = wanted_.requests.back().add_grants();
    spec->set_path(path);
    spec->set_access(access);
  }
  proto::GrantInfo* Give(const std::string& lease, const std::string& path,
                         proto::GrantAccess access) {
    proto::GrantInfo* grant = given_.Add();
    grant->set_lease(lease);
    grant->set_path(path);
    grant->set_access(access);
    return grant;
  }
  [[nodiscard]] Difference Look() const { return Compare(wanted_, given_, busy_); }
  [[nodiscard]] std::vector<std::string> Missing() const {
    std::vector<std::string> lines;
    for (const LeasedFile& file : Look().missing) {
      lines.push_back(file.lease + " " + file.path);
    }
    return lines;
  }
  [[nodiscard]] std::vector<std::string> SurplusLines() const {
    std::vector<std::string> lines;
    for (const SurplusFile& surplus : Look().surplus) {
      lines.push_back(surplus.file.lease + " " + surplus.file.path +
                      (surplus.when == Surplus::kUnlessHeld ? " unless held" : ""));
    }
    return lines;
  }

  PlanGrants wanted_;
  google::protobuf::RepeatedPtrField<proto::GrantInfo> given_;
  std::set<std::string> busy_;
};

TEST_F(Reconcile, FindsNothingWhereBothAreTheSame) {
  Want("device:vda", "/a", kWrite);
  Want("device:vda", "/base", kRead);
  Give("device:vda", "/a", kWrite);
  Give("device:vda", "/base", kRead);
  EXPECT_TRUE(Look().IsNone());
  EXPECT_THAT(Look().requests, IsEmpty());
}

TEST_F(Reconcile, AsksForWhatIsMissingOrMayOnlyBeRead) {
  Want("device:vda", "/a", kWrite);
  Want("device:vdb", "/b", kWrite);
  Give("device:vda", "/a", kRead);
  EXPECT_THAT(Missing(), ElementsAre("device:vda /a", "device:vdb /b"));
  EXPECT_EQ(Look().requests.size(), 2U);
}

TEST_F(Reconcile, TakesWhatLibvirtAnnouncedForWhatTheDefinitionHas) {
  Want("device:vdb", "/b", kWrite);
  Give("libvirt:1", "/b", kWrite);
  EXPECT_TRUE(Look().IsNone());
}

TEST_F(Reconcile, AnAdministratorsGrantIsNotTheDefinitions) {
  Want("device:vdb", "/b", kWrite);
  Give("admin:root", "/b", kWrite);
  EXPECT_THAT(Missing(), ElementsAre("device:vdb /b"));
}

TEST_F(Reconcile, EndsWhatNoElementAsksForAnyMore) {
  Want("device:vda", "/a", kWrite);
  Give("device:vda", "/a", kWrite);
  Give("device:vda", "/old", kRead);
  Give("device:vdz", "/z", kWrite);
  Give("domain", "/dev/x", kWrite);
  EXPECT_THAT(SurplusLines(), ElementsAre("device:vda /old", "device:vdz /z", "domain /dev/x"));
}

TEST_F(Reconcile, AFileOfTwoDisksStaysWithEither) {
  Want("device:vda", "/base", kRead);
  Give("device:vda", "/base", kRead);
  Give("device:vdb", "/base", kRead);
  EXPECT_TRUE(Look().IsNone());
}

TEST_F(Reconcile, NeverTakesWhatOthersOwn) {
  Give("job:commit-1", "/base", kWrite);
  Give("admin:alice", "/iso", kRead);
  Give("libvirt:writing", "/base", kWrite);
  EXPECT_TRUE(Look().IsNone());
}

TEST_F(Reconcile, WhatLibvirtAnnouncedEndsOnlyWhenNobodyHasIt) {
  Give("libvirt:3", "/backup", kWrite);
  EXPECT_THAT(SurplusLines(), ElementsAre("libvirt:3 /backup unless held"));
}

TEST_F(Reconcile, LeavesADiskAloneWhileAJobOfItRuns) {
  busy_ = {"vda"};
  Want("device:vda", "/a", kWrite);
  Give("device:vda", "/old", kWrite);
  EXPECT_TRUE(Look().IsNone());
  EXPECT_THAT(Look().busy, ElementsAre("vda"));
}

TEST_F(Reconcile, NarrowsALeaseThatGivesTooMuch) {
  Want("device:vda", "/a", kRead);
  Give("device:vda", "/a", kWrite);
  EXPECT_THAT(Missing(), ElementsAre("device:vda /a"));
}

TEST_F(Reconcile, WhatHasEndedOrIsStaleGivesNothing) {
  Want("device:vda", "/a", kRead);
  Give("device:vda", "/a", kRead)->set_ended_unix(7);
  Give("device:vda", "/a", kRead)->set_stale(true);
  EXPECT_THAT(Missing(), ElementsAre("device:vda /a"));
}

}  // namespace
}  // namespace openhook::ctl
