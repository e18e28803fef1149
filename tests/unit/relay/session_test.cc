// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A manager's connection, with the test as the manager and as QEMU, and no broker.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "broker/base/limits.h"
#include "broker/relay/manager_session.h"
#include "tests/fuzz/relay_target.h"

namespace openhook::relay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kCapabilities = R"({"execute":"qmp_capabilities"})";

std::array<UniqueFd, 2> Pair() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

UniqueFd AFile() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    auto [manager, theirs] = Pair();
    auto [qemu, other] = Pair();
    manager_ = std::move(manager);
    qemu_ = std::move(qemu);
    session_.emplace(std::move(theirs), std::move(other), &gate_);
  }

  void Negotiate() {
    Say(kCapabilities);
    EXPECT_EQ(AtQemu(), kCapabilities);
    Answer(R"({"return": {}})"
           "\r\n");
    EXPECT_THAT(AtManager(), StartsWith("{\"return\""));
    EXPECT_TRUE(gate_.TakeHandover());
    gate_.Reconcile({});
  }

  void Serve() {
    for (int turn = 0; turn < 4 && !session_->IsOver(); ++turn) {
      std::array<pollfd, 2> fds{session_->WantsOfManager(), session_->WantsOfQemu()};
      ::poll(fds.data(), fds.size(), 0);
      session_->Serve(fds[0].revents, fds[1].revents);
    }
  }

  void Say(const std::string& bytes, const std::vector<UniqueFd>& descriptors = {}) {
    ASSERT_EQ(SendStream(manager_.Get(), bytes, descriptors).size, bytes.size());
    Serve();
  }
  void Answer(const std::string& bytes) {
    ASSERT_EQ(SendStream(qemu_.Get(), bytes, {}).size, bytes.size());
    Serve();
  }
  std::string AtQemu() { return ReceiveStream(qemu_.Get(), 1 << 20).bytes; }
  std::string AtManager() { return ReceiveStream(manager_.Get(), 1 << 20).bytes; }

  Memory memory_ = *Memory::Make();
  BrokerLink link_{"/nowhere/control.sock", 1, std::chrono::milliseconds(1)};
  Gate gate_{State{.next_job = 1}, &memory_, &link_};
  UniqueFd manager_;
  UniqueFd qemu_;
  std::optional<ManagerSession> session_;
};

TEST_F(SessionTest, BytesPassAsTheyCame) {
  Negotiate();
  const std::string odd = "{ \"execute\" :\n\t\"query-name\", \"id\": 1.50 }";
  Say(odd);
  EXPECT_EQ(AtQemu(), odd);
  const std::string reply = "{\"return\":  {},\"id\":1.50}\r\n";
  Answer(reply);
  EXPECT_EQ(AtManager(), reply);
}

TEST_F(SessionTest, CommandsPassOneAtATime) {
  Negotiate();
  Say(R"({"execute":"query-name","id":1}{"execute":"query-name","id":2})");
  EXPECT_THAT(AtQemu(), HasSubstr("\"id\":1}"));
  EXPECT_EQ(AtQemu(), "");
  Answer(R"({"return":{},"id":1})"
         "\n");
  EXPECT_THAT(AtQemu(), HasSubstr("\"id\":2}"));
}

TEST_F(SessionTest, ARefusalStandsWhereTheManagerExpectsIt) {
  Negotiate();
  Say(R"({"execute":"query-name","id":1}{"execute":"screendump","arguments":{"filename":"/x"},)"
      R"("id":{"n":2}}{"execute":"query-name","id":3})");
  EXPECT_EQ(AtManager(), "") << "the first one has no answer yet";
  (void)AtQemu();
  Answer(R"({"return":{},"id":1})"
         "\n");
  EXPECT_THAT(AtManager(),
              AllOf(StartsWith(R"({"return":{},"id":1})"), HasSubstr("GenericError"),
                    HasSubstr("no broker of this VM is running"), HasSubstr(R"("id":{"n":2})")));
  EXPECT_THAT(AtQemu(), AllOf(HasSubstr("\"id\":3"), testing::Not(HasSubstr("screendump"))));
}

TEST_F(SessionTest, OutOfBandCommandsOvertake) {
  Negotiate();
  Say(R"({"execute":"query-name","id":1}{"execute":"query-name","id":2}{"exec-oob":"yank","id":3})");
  EXPECT_THAT(AtQemu(), AllOf(HasSubstr("\"id\":1"), HasSubstr("\"id\":3")));
  Answer(R"({"return":{},"id":3})"
         "\n");
  EXPECT_EQ(AtQemu(), "") << "the answer to the other one says nothing about the first";
  Answer(R"({"return":{},"id":1})"
         "\n");
  EXPECT_THAT(AtQemu(), HasSubstr("\"id\":2"));
}

TEST_F(SessionTest, WhatIsNoCommandIsAnsweredAndTheNextOnePasses) {
  Negotiate();
  Say("quit\n{'execute':'quit'}{\"execute\":\"stop\",\"execute\":\"quit\"}[{\"execute\":\"quit\"}"
      "]");
  const std::string answers = AtManager();
  EXPECT_EQ(std::count(answers.begin(), answers.end(), '\n'), 4);
  EXPECT_EQ(AtQemu(), "");
  Say(R"({"execute":"query-name"})");
  EXPECT_THAT(AtQemu(), HasSubstr("query-name"));
}

TEST_F(SessionTest, AStreamThatCannotBeFollowedIsClosedWithASentence) {
  Negotiate();
  Say(std::string(limits::kMaxMonitorDepth + 1, '['));
  EXPECT_THAT(AtManager(), HasSubstr("nests deeper"));
  EXPECT_TRUE(session_->IsOver());
}

TEST_F(SessionTest, DescriptorsPassWithTheirCommand) {
  Negotiate();
  std::vector<UniqueFd> one;
  one.push_back(AFile());
  Say(R"({"execute":"getfd","arguments":{"fdname":"f"}})", one);
  const StreamChunk chunk = ReceiveStream(qemu_.Get(), 1000);
  EXPECT_THAT(chunk.bytes, HasSubstr("getfd"));
  EXPECT_EQ(chunk.descriptors.size(), 1U);
}

TEST_F(SessionTest, DescriptorsOnOddBytesPassWithTheCommandThatTheyAreIn) {
  Negotiate();
  std::vector<UniqueFd> one;
  one.push_back(AFile());
  Say(R"({"execute":)");
  Say(R"("getfd")", one);
  EXPECT_EQ(AtQemu(), "");
  Say("}");
  const StreamChunk chunk = ReceiveStream(qemu_.Get(), 1000);
  EXPECT_EQ(chunk.bytes, R"({"execute":"getfd"})");
  EXPECT_EQ(chunk.descriptors.size(), 1U);
}

TEST_F(SessionTest, TooManyDescriptorsEndTheConnection) {
  Negotiate();
  std::vector<UniqueFd> many;
  for (std::size_t i = 0; i <= limits::kMaxMonitorDescriptors; ++i) {
    many.push_back(AFile());
  }
  Say("{", many);
  EXPECT_THAT(AtManager(), HasSubstr("descriptors came"));
  EXPECT_TRUE(session_->IsOver());
}

TEST_F(SessionTest, DescriptorsOfQemuReachNobody) {
  Negotiate();
  std::vector<UniqueFd> one;
  one.push_back(AFile());
  ASSERT_EQ(SendStream(qemu_.Get(), "{}\n", one).status, StreamStatus::kOk);
  Serve();
  const StreamChunk chunk = ReceiveStream(manager_.Get(), 1000);
  EXPECT_EQ(chunk.bytes, "{}\n");
  EXPECT_TRUE(chunk.descriptors.empty());
}

TEST_F(SessionTest, InventedAnswersLetNothingPass) {
  Negotiate();
  Say(R"({"execute":"query-name","id":1}{"execute":"query-name","id":2})");
  (void)AtQemu();
  Answer("{\"return\":{},\"id\":7}\n{\"return\":{}}\n{\"error\":{},\"id\":\"1\"}\n[]\nx\n");
  EXPECT_EQ(AtQemu(), "");
}

TEST_F(SessionTest, AManagerThatReadsNothingHoldsQemuBack) {
  Negotiate();
  const std::string line = std::string(4095, 'x') + "\n";
  std::size_t taken = 0;
  for (int i = 0; i < 10'000; ++i) {
    const StreamSent sent = SendStream(qemu_.Get(), line, {});
    if (sent.status != StreamStatus::kOk) {
      Serve();
    }
    taken += sent.size;
  }
  EXPECT_LT(taken, std::size_t{8} << 20);
  EXPECT_FALSE(session_->IsOver());
}

TEST_F(SessionTest, AManagerThatNeverWaitsIsHeldBack) {
  Negotiate();
  const std::string command = R"({"execute":"query-name"})";
  std::string flood;
  for (std::size_t i = 0; i < 1000; ++i) {
    flood += command;
  }
  std::size_t taken = 0;
  for (int i = 0; i < 1000; ++i) {
    taken += SendStream(manager_.Get(), flood, {}).size;
    Serve();
  }
  EXPECT_LT(taken, std::size_t{2} << 20);
  EXPECT_EQ(AtQemu(), command);
  EXPECT_FALSE(session_->IsOver());
}

TEST_F(SessionTest, TheEndOfQemuEndsIt) {
  Negotiate();
  qemu_.Reset();
  Serve();
  EXPECT_TRUE(session_->IsOver());
}

TEST(RelayCorpus, EveryConversationKeepsTheInvariants) {
  int conversations = 0;
  for (const auto& entry : std::filesystem::directory_iterator(OPENHOOK_CORPUS "/fuzz_relay")) {
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    const std::string text = content.str();
    fuzz::FuzzRelay(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    ++conversations;
  }
  EXPECT_GE(conversations, 10);
}

}  // namespace
}  // namespace openhook::relay
