// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/control_handler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "broker/base/limits.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

class ControlHandlerTest : public ::testing::Test {
 protected:
  void Connect(uid_t uid, std::vector<gid_t> groups = {}) {
    const Result<Peer> peer = Peer{1, uid, uid, std::move(groups), std::nullopt, {}};
    handler_ = MakeControlHandler(
        broker_.get(), peer,
        [this](const std::string& packet) {
          pushed_.emplace_back();
          return pushed_.back().ParseFromString(packet);
        },
        [](proto::StatusReply* status) { status->set_openat2("openat2"); });
  }
  void ConnectAndGreet() {
    Connect(0);
    proto::ControlRequest hello;
    hello.mutable_hello()->set_min_version(1);
    hello.mutable_hello()->set_max_version(3);
    ASSERT_EQ(Ask(hello).outcome(), proto::OUTCOME_OK);
  }
  proto::ControlReply Ask(const proto::ControlRequest& request) {
    const std::string bytes = request.SerializeAsString();
    Reaction reaction;
    handler_->Handle({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                     [&reaction](Reaction given) { reaction = std::move(given); });
    EXPECT_LE(reaction.reply.size(), limits::kMaxControlPacket);
    proto::ControlReply reply;
    EXPECT_TRUE(reply.ParseFromString(reaction.reply));
    return reply;
  }
  static proto::ControlRequest GrantOf(const std::string& path, proto::GrantAccess access) {
    proto::ControlRequest request;
    request.mutable_grant()->set_lease("domain");
    auto* spec = request.mutable_grant()->add_grants();
    spec->set_path(path);
    spec->set_access(access);
    return request;
  }

  TestBroker broker_;
  std::unique_ptr<PacketHandler> handler_;
  std::vector<proto::ControlReply> pushed_;
};

TEST_F(ControlHandlerTest, GrantsListsAndRevokes) {
  ConnectAndGreet();
  const std::string file = broker_.tree.File("images/a");
  const auto granted = Ask(GrantOf(file, proto::GRANT_ACCESS_READ_WRITE));
  ASSERT_EQ(granted.outcome(), proto::OUTCOME_OK) << granted.reason();
  EXPECT_EQ(granted.change().generation(), 1U);
  EXPECT_EQ(granted.change().grants(0).kind(), proto::FILE_KIND_REGULAR);
  proto::ControlRequest list;
  list.mutable_list();
  EXPECT_EQ(Ask(list).list().grants(0).path(), file);
  proto::ControlRequest revoke;
  revoke.mutable_revoke()->set_lease("domain");
  EXPECT_EQ(Ask(revoke).change().grants_size(), 1);
  EXPECT_EQ(Ask(list).list().grants_size(), 0);
}

TEST_F(ControlHandlerTest, AFailureHasACodeAndASentence) {
  ConnectAndGreet();
  const auto missing = Ask(GrantOf("/nowhere/a", proto::GRANT_ACCESS_READ));
  EXPECT_EQ(missing.outcome(), proto::OUTCOME_FAILED);
  EXPECT_EQ(missing.code(), "not-found");
  EXPECT_NE(missing.reason().find("/nowhere/a"), std::string::npos);
  const auto unspecified = Ask(GrantOf("/dev/null", proto::GRANT_ACCESS_UNSPECIFIED));
  EXPECT_EQ(unspecified.code(), "invalid-argument");
}

TEST_F(ControlHandlerTest, OnlyRootTheBrokersUserAndTheGroupMayConnect) {
  broker_.options.control_group = 77;
  broker_.Restart();
  struct Row {
    uid_t uid;
    std::vector<gid_t> groups;
    proto::Outcome outcome;  // of a status request: accepted peers are asked for Hello
  };
  const std::vector<Row> rows = {
      {0, {}, proto::OUTCOME_BAD_REQUEST},         {::geteuid(), {}, proto::OUTCOME_BAD_REQUEST},
      {4321, {5, 77}, proto::OUTCOME_BAD_REQUEST}, {4321, {5}, proto::OUTCOME_DENIED},
      {1234, {}, proto::OUTCOME_DENIED},
  };
  for (const Row& row : rows) {
    Connect(row.uid, row.groups);
    proto::ControlRequest status;
    status.mutable_status();
    EXPECT_EQ(Ask(status).outcome(), row.outcome) << row.uid;
  }
}

TEST_F(ControlHandlerTest, ListsInPagesThatFitAPacket) {
  ConnectAndGreet();
  constexpr int kFiles = 1200;
  for (int i = 0; i < kFiles; i += 300) {
    proto::ControlRequest request;
    request.mutable_grant()->set_lease("domain");
    for (int j = i; j < i + 300; ++j) {
      auto* spec = request.mutable_grant()->add_grants();
      spec->set_path(broker_.tree.File("images/" + std::string(100, 'f') + std::to_string(j)));
      spec->set_access(proto::GRANT_ACCESS_READ);
    }
    ASSERT_EQ(Ask(request).outcome(), proto::OUTCOME_OK);
  }
  int seen = 0;
  proto::ControlRequest list;
  list.mutable_list();
  proto::ListReply page;
  do {
    page = Ask(list).list();
    ASSERT_GT(page.grants_size(), 0);
    seen += page.grants_size();
    list.mutable_list()->set_after_id(page.grants(page.grants_size() - 1).id());
  } while (page.more());
  EXPECT_EQ(seen, kFiles);
  list.mutable_list()->set_after_id(0);
  list.mutable_list()->set_limit(7);
  EXPECT_EQ(Ask(list).list().grants_size(), 7);
}

TEST_F(ControlHandlerTest, ExplainsWithGrantsAndRecentDecisions) {
  ConnectAndGreet();
  const std::string file = broker_.tree.File("images/a");
  ASSERT_EQ(Ask(GrantOf(file, proto::GRANT_ACCESS_READ)).outcome(), proto::OUTCOME_OK);
  proto::ControlRequest explain;
  explain.mutable_explain()->set_path(file);
  EXPECT_TRUE(Ask(explain).explain().allow());
  explain.mutable_explain()->set_write(true);
  const auto denied = Ask(explain).explain();
  EXPECT_FALSE(denied.allow());
  EXPECT_EQ(denied.rule(), "read-only-grant");
  EXPECT_NE(denied.remedy().find("--write"), std::string::npos);
  EXPECT_EQ(denied.grants_size(), 1);
  EXPECT_EQ(denied.recent(0).operation(), "grant");
}

TEST_F(ControlHandlerTest, WatchesUntilTheConnectionEnds) {
  ConnectAndGreet();
  proto::ControlRequest watch;
  watch.set_id(9);
  watch.mutable_watch()->set_last(10);
  watch.mutable_watch()->set_follow(true);
  const auto past = Ask(watch).watch();
  EXPECT_FALSE(past.end());
  ASSERT_EQ(past.events_size(), 1);
  EXPECT_EQ(past.events(0).operation(), "start");
  (void)Ask(GrantOf("/nowhere/a", proto::GRANT_ACCESS_READ));
  ASSERT_EQ(pushed_.size(), 1U);
  EXPECT_EQ(pushed_[0].id(), 9U);
  EXPECT_EQ(pushed_[0].watch().events(0).verdict(), "fail");
  handler_.reset();
  (void)broker_.Give("/nowhere/b", whitelist::GrantAccess::kRead);
  EXPECT_EQ(pushed_.size(), 1U);
}

TEST_F(ControlHandlerTest, StatusCountsWhatThereIs) {
  ConnectAndGreet();
  ASSERT_TRUE(broker_.Give(broker_.tree.File("images/a"), whitelist::GrantAccess::kRead));
  proto::ControlRequest status;
  status.mutable_status();
  const auto reply = Ask(status).status();
  EXPECT_EQ(reply.grants(), 1U);
  EXPECT_EQ(reply.leases(), 1U);
  EXPECT_EQ(reply.vm(), broker_.options.vm);
  EXPECT_EQ(reply.openat2(), "openat2");
}

}  // namespace
}  // namespace openhook::server
