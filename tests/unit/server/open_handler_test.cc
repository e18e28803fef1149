// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/open_handler.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "proto/openhook.pb.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

class OpenHandlerTest : public ::testing::Test {
 protected:
  OpenHandlerTest() {
    broker_.options.vm_uid = 1234;
    broker_.Restart();
  }

  static Peer PeerWith(uid_t uid) { return {1, uid, uid, {}, std::nullopt, {}}; }

  void Connect(const Result<Peer>& peer) { handler_ = MakeOpenHandler(broker_.get(), peer); }
  void ConnectAndGreet() {
    Connect(PeerWith(1234));
    proto::Request hello;
    hello.mutable_hello()->set_min_version(1);
    hello.mutable_hello()->set_max_version(1);
    ASSERT_EQ(Ask(hello).outcome(), proto::OUTCOME_OK);
  }
  proto::Reply AskBytes(const std::string& bytes) {
    Reaction reaction;
    handler_->Handle({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                     [&reaction](Reaction given) { reaction = std::move(given); });
    after_ = reaction.after;
    fd_ = std::move(reaction.fd);
    proto::Reply reply;
    EXPECT_TRUE(reply.ParseFromString(reaction.reply));
    EXPECT_EQ(reply.descriptor(), fd_.has_value());
    return reply;
  }
  proto::Reply Ask(const proto::Request& request) { return AskBytes(request.SerializeAsString()); }
  proto::Reply AskOpen(const std::string& path) {
    proto::Request request;
    request.set_id(5);
    request.mutable_open()->set_path(path);
    request.mutable_open()->set_access(proto::ACCESS_READ);
    return Ask(request);
  }

  TestBroker broker_;
  std::unique_ptr<PacketHandler> handler_;
  AfterReply after_ = AfterReply::kContinue;
  std::optional<IoFd> fd_;
};

TEST_F(OpenHandlerTest, GreetsThenOpens) {
  const std::string file = broker_.tree.File("images/a", "x");
  ASSERT_TRUE(broker_.Give(file, whitelist::GrantAccess::kRead));
  ConnectAndGreet();
  const auto reply = AskOpen(file);
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_OK);
  EXPECT_EQ(reply.id(), 5U);
  EXPECT_TRUE(fd_);
  const auto event = broker_->audit().Last(1)[0];
  EXPECT_EQ(event.outcome, audit::Outcome::kAllow);
  EXPECT_EQ(event.path, file);
  EXPECT_EQ(event.subject->uid, 1234U);
}

TEST_F(OpenHandlerTest, ADenialTellsItsReasonAndNothingElse) {
  ConnectAndGreet();
  const auto reply = AskOpen("/etc/shadow");
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_DENIED);
  EXPECT_EQ(reply.sys_errno(), EACCES);
  EXPECT_EQ(reply.reason(), "the name is not on the whitelist of this VM");
  EXPECT_EQ(broker_->audit().Last(1)[0].outcome, audit::Outcome::kDeny);
}

TEST_F(OpenHandlerTest, SystemFilesAreNotMineAndNotRecorded) {
  ConnectAndGreet();
  const auto seen = broker_->audit().Last(100).size();
  EXPECT_EQ(AskOpen("/usr/share/qemu/x").outcome(), proto::OUTCOME_NOT_MINE);
  EXPECT_EQ(broker_->audit().Last(100).size(), seen);
}

TEST_F(OpenHandlerTest, NothingIsServedBeforeHello) {
  Connect(PeerWith(1234));
  EXPECT_EQ(AskOpen("/a").outcome(), proto::OUTCOME_BAD_REQUEST);
  EXPECT_EQ(after_, AfterReply::kClose);
}

TEST_F(OpenHandlerTest, OtherVersionsAreRefused) {
  Connect(PeerWith(1234));
  proto::Request hello;
  hello.mutable_hello()->set_min_version(2);
  hello.mutable_hello()->set_max_version(9);
  EXPECT_EQ(Ask(hello).outcome(), proto::OUTCOME_UNSUPPORTED);
  EXPECT_EQ(after_, AfterReply::kClose);
}

TEST_F(OpenHandlerTest, AnotherUsersProcessIsToldAndTurnedAway) {
  Connect(PeerWith(4321));
  const auto reply = AskOpen("/a");
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_DENIED);
  EXPECT_NE(reply.reason().find("uid 4321"), std::string::npos);
  EXPECT_EQ(after_, AfterReply::kClose);
  EXPECT_EQ(broker_->audit().Last(1)[0].operation, audit::Operation::kConnect);
}

TEST_F(OpenHandlerTest, ADemandedLabelIsDemandedOfRootToo) {
  broker_->CheckLabels(
      label::MakeSocketLabelOnly(label::Module::kSelinux, "system_u:system_r:svirt_t:s0:c1,c2"));
  for (const uid_t uid : {1234U, 0U}) {
    Connect(PeerWith(uid));
    EXPECT_EQ(AskOpen("/a").outcome(), proto::OUTCOME_DENIED);
    Result<Peer> unconfined = PeerWith(uid);
    unconfined->label = "system_u:system_r:svirt_t:s0:c1,c3";
    Connect(unconfined);
    EXPECT_EQ(AskOpen("/a").outcome(), proto::OUTCOME_DENIED);
    Result<Peer> confined = PeerWith(uid);
    confined->label = "system_u:system_r:svirt_t:s0:c1,c2";
    Connect(confined);
    EXPECT_EQ(AskOpen("/a").outcome(), proto::OUTCOME_BAD_REQUEST) << "accepted, asked for Hello";
  }
}

TEST_F(OpenHandlerTest, APeerThatCannotBeIdentifiedIsRefused) {
  Connect(Fail(ErrorCode::kIo, "cannot read the credentials of a peer"));
  EXPECT_EQ(AskOpen("/a").outcome(), proto::OUTCOME_DENIED);
}

TEST_F(OpenHandlerTest, GarbageEndsTheConnection) {
  ConnectAndGreet();
  EXPECT_EQ(AskBytes("\xff\xff\xff").outcome(), proto::OUTCOME_BAD_REQUEST);
  EXPECT_EQ(after_, AfterReply::kClose);
}

TEST_F(OpenHandlerTest, AnUnknownRequestIsSaidToBeUnknown) {
  ConnectAndGreet();
  const std::string future("\x08\x07\xd2\x05\x00", 5);  // id 7, field 90 with no bytes
  const auto reply = AskBytes(future);
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_UNSUPPORTED);
  EXPECT_EQ(reply.id(), 7U);
  EXPECT_EQ(after_, AfterReply::kContinue);
}

TEST_F(OpenHandlerTest, AnOpenWithoutAccessIsRefused) {
  ConnectAndGreet();
  proto::Request request;
  request.mutable_open()->set_path("/a");
  EXPECT_EQ(Ask(request).outcome(), proto::OUTCOME_BAD_REQUEST);
}

}  // namespace
}  // namespace openhook::server
