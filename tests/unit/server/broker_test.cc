// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/broker.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "broker/server/grant_resolver.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

using whitelist::GrantAccess;

TEST(Broker, AGrantIsResolvedPinnedAndSurvivesARestart) {
  TestBroker broker;
  const std::string file = broker.tree.File("images/a.img");
  const std::string link = broker.tree.Symlink("images/link", "a.img");
  ASSERT_TRUE(broker.Give(link, GrantAccess::kReadWrite));
  for (int round = 0; round < 2; ++round) {
    const auto found = broker->whitelist().Find(link);
    ASSERT_NE(found.entry, nullptr);
    EXPECT_TRUE(found.alias);
    EXPECT_EQ(found.entry->path.str(), file);
    EXPECT_TRUE(found.entry->writable);
    EXPECT_EQ(broker->whitelist().generation(), 1U);
    broker.Restart();
  }
}

TEST(Broker, AFailedRequestChangesNothingAndIsRecorded) {
  TestBroker broker;
  WantedGrant good;
  good.path = broker.tree.File("images/a.img");
  WantedGrant missing;
  missing.path = broker.tree.Path("images/missing");
  const auto granted = broker->Grant("domain", {good, missing}, nullptr);
  ASSERT_FALSE(granted);
  EXPECT_EQ(granted.error().code, ErrorCode::kNotFound);
  EXPECT_NE(granted.error().context.find("missing"), std::string::npos);
  EXPECT_TRUE(broker->whitelist().grants().empty());
  EXPECT_EQ(broker->audit().Last(1)[0].outcome, audit::Outcome::kFail);
  EXPECT_FALSE(broker->Grant("domain", {}, nullptr));
}

TEST(Broker, RevokeReturnsWhatItTook) {
  TestBroker broker;
  const std::string file = broker.tree.File("images/a.img");
  ASSERT_TRUE(broker.Give(file, GrantAccess::kRead));
  EXPECT_EQ(broker->Revoke("", {broker.tree.Path("images/./a.img")}, nullptr)->grants.size(), 1U);
  EXPECT_FALSE(broker->Revoke("domain", {}, nullptr));
  broker.Restart();
  EXPECT_TRUE(broker->whitelist().grants().empty());
}

TEST(GrantResolver, RefusesWhatNoVmMayHave) {
  TestBroker broker;
  const std::string state_file = broker.tree.File("state/x");
  broker.tree.Directory("images/.ssh");
  const std::string keys = broker.tree.File("images/.ssh/id_rsa");
  broker.tree.Symlink("images/to-state", state_file);
  broker.tree.Symlink("images/to-proc", "/proc/version");
  for (const std::string& path :
       {std::string("/proc/version"), std::string("/sys/kernel/uevent_seqnum"),
        std::string("/etc/shadow"), std::string("/etc/hostname"), keys, state_file,
        broker.tree.Path("images/to-state"), broker.tree.Path("images/to-proc")}) {
    const auto granted = broker.Give(path, GrantAccess::kRead);
    ASSERT_FALSE(granted) << path;
    EXPECT_EQ(granted.error().code, ErrorCode::kPermission) << path;
  }
  EXPECT_FALSE(broker.Give(broker.tree.Path("run/new"), GrantAccess::kCreate));
}

TEST(GrantResolver, RefusesBadNamesAndSockets) {
  TestBroker broker;
  broker.tree.Symlink("images/dangling", "nowhere");
  for (const std::string& path : {std::string(""), std::string("relative"),
                                  broker.tree.Path("images/dangling"), broker.tree.root()}) {
    EXPECT_FALSE(broker.Give(path, GrantAccess::kRead)) << path;
  }
  EXPECT_FALSE(broker.Give(broker.tree.Path("images/dangling"), GrantAccess::kCreate));
  EXPECT_FALSE(broker.Give(broker.tree.Path("no-directory/new"), GrantAccess::kCreate));
}

TEST(GrantResolver, ChecksThatTheFileIsTheOneTheManagerSaw) {
  TestBroker broker;
  WantedGrant wanted;
  wanted.path = broker.tree.File("images/a.img");
  wanted.expected_ino = 1;
  const auto granted = broker->Grant("domain", {wanted}, nullptr);
  ASSERT_FALSE(granted);
  EXPECT_EQ(granted.error().code, ErrorCode::kConflict);
}

TEST(GrantResolver, ASecondNameHasToLeadToTheSameFile) {
  TestBroker broker;
  broker.tree.Directory("images/sub");
  WantedGrant wanted;
  wanted.path = broker.tree.File("images/base.img");
  wanted.aliases = {broker.tree.Path("images/sub/../base.img")};
  ASSERT_TRUE(broker->Grant("domain", {wanted}, nullptr));
  EXPECT_NE(broker->whitelist().Find(wanted.aliases[0]).entry, nullptr);
  wanted.aliases = {broker.tree.File("images/other.img")};
  EXPECT_EQ(broker->Grant("domain", {wanted}, nullptr).error().code, ErrorCode::kConflict);
}

TEST(Broker, ASecondBrokerOfTheSameVmDoesNotStart) {
  TestBroker broker;
  const auto second = Broker::Start(broker.options, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace openhook::server
