// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/listener.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>

#include "proto/bundle.h"
#include "tests/support/temp_tree.h"

namespace openhook::server {
namespace {

class Echo : public PacketHandler {
 public:
  explicit Echo(std::function<void()>* later) : later_(later) {}
  void Handle(std::span<const std::uint8_t> packet, const Respond& respond) override {
    const std::string text(packet.begin(), packet.end());
    const auto answer = [text, &respond] {
      Reaction reaction;
      reaction.reply = text;
      reaction.after = text == "bye" ? AfterReply::kClose : AfterReply::kContinue;
      if (text.starts_with("file")) {
        reaction.file = FileKey{FileKind::kRegular, 1, text.size()};
      }
      respond(std::move(reaction));
    };
    if (text == "later") {
      *later_ = answer;
    } else {
      answer();
    }
  }

 private:
  std::function<void()>* later_;
};

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() : loop_(1) {
    options_ = {tree_.Path("sock"), 0600, ::geteuid(), ::getegid(), 2, 32};
  }
  void Start() {
    auto started = Listener::Start(loop_, options_, [this](const Result<Peer>& peer, PushPacket) {
      refused_ += peer ? 0 : 1;
      return std::make_unique<Echo>(&later_);
    });
    ASSERT_TRUE(started) << started.error().Message();
    listener_ = std::move(*started);
  }
  UniqueFd Connect() {
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, options_.path.data(), options_.path.size());
    EXPECT_EQ(::connect(socket.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    Turn();
    return socket;
  }
  // Lets the loop do what it can.
  void Turn() { loop_.run_for(std::chrono::milliseconds(20)); }
  void Send(const UniqueFd& socket, const std::string& text) {
    (void)SendBundle(socket.Get(), text.data(), text.size(), WaitMode::kDontWait);
    Turn();
  }
  std::string Exchange(const UniqueFd& socket, const std::string& text) {
    Send(socket, text);
    return Receive(socket);
  }
  static std::string Receive(const UniqueFd& socket) {
    std::string reply(64, '\0');
    const auto got = ReceiveBundle(socket.Get(), reply.data(), reply.size(), DescriptorRule::kNone,
                                   WaitMode::kDontWait);
    return got.status == BundleStatus::kOk       ? reply.substr(0, got.size)
           : got.status == BundleStatus::kClosed ? "(closed)"
                                                 : "(nothing)";
  }

  testing::TempTree tree_;
  boost::asio::io_context loop_;
  ListenerOptions options_;
  std::unique_ptr<Listener> listener_;
  int refused_ = 0;
  std::function<void()> later_;
};

TEST_F(ListenerTest, ServesEachConnectionByItself) {
  Start();
  const UniqueFd first = Connect();
  const UniqueFd second = Connect();
  EXPECT_EQ(listener_->sessions(), 2U);
  EXPECT_EQ(Exchange(second, "b"), "b");
  EXPECT_EQ(Exchange(first, "a"), "a");
}

TEST_F(ListenerTest, AnAnswerThatTakesTimeHoldsUpItsOwnSessionOnly) {
  Start();
  const UniqueFd slow = Connect();
  const UniqueFd other = Connect();
  EXPECT_EQ(Exchange(slow, "later"), "(nothing)");
  EXPECT_EQ(Exchange(slow, "next"), "(nothing)") << "one request at a time, in order";
  EXPECT_EQ(Exchange(other, "a"), "a");
  later_();
  Turn();
  EXPECT_EQ(Receive(slow), "later");
  EXPECT_EQ(Receive(slow), "next");
}

TEST_F(ListenerTest, AClientThatLeavesWhileItsAnswerTakesTimeIsForgotten) {
  Start();
  {
    const UniqueFd slow = Connect();
    EXPECT_EQ(Exchange(slow, "later"), "(nothing)");
  }
  Turn();
  later_();
  Turn();
  EXPECT_EQ(listener_->sessions(), 0U);
}

TEST_F(ListenerTest, EndsASessionAfterItsLastReply) {
  Start();
  const UniqueFd socket = Connect();
  EXPECT_EQ(Exchange(socket, "bye"), "bye");
  EXPECT_EQ(Exchange(socket, "again"), "(closed)");
  EXPECT_EQ(listener_->sessions(), 0U);
}

TEST_F(ListenerTest, KnowsWhichFilesMayLieInAPeersQueue) {
  Start();
  const UniqueFd reader = Connect();
  const UniqueFd waiter = Connect();
  EXPECT_EQ(Exchange(reader, "file"), "file");
  EXPECT_TRUE(listener_->FilesInFlight().empty()) << "it was received";
  Send(waiter, "file2");
  EXPECT_EQ(listener_->FilesInFlight(), std::set<FileKey>({FileKey{FileKind::kRegular, 1, 5}}));
  EXPECT_EQ(Receive(waiter), "file2");
  EXPECT_TRUE(listener_->FilesInFlight().empty());
}

TEST_F(ListenerTest, AllThatWasSentSinceAQueueWasEmptyMayLieInIt) {
  Start();
  const UniqueFd socket = Connect();
  std::string file = "file";
  for (int i = 0; i < 20; ++i) {
    Send(socket, file);
    file += "x";
  }
  EXPECT_EQ(Receive(socket), "file");
  EXPECT_EQ(listener_->FilesInFlight().size(), 20U) << "which of them were read cannot be told";
}

TEST_F(ListenerTest, ASessionThatHasEndedCountsUntilItsFilesAreReceived) {
  Start();
  UniqueFd socket = Connect();
  Send(socket, "file");
  Send(socket, "bye");
  EXPECT_EQ(listener_->FilesInFlight().size(), 1U);
  EXPECT_EQ(listener_->sessions(), 1U);
  EXPECT_EQ(Receive(socket), "file");
  EXPECT_EQ(Receive(socket), "bye");
  loop_.run_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(listener_->FilesInFlight().empty());
  EXPECT_EQ(listener_->sessions(), 0U);
}

TEST_F(ListenerTest, APeerThatGoesTakesWhatItHasNotReceivedWithIt) {
  Start();
  {
    const UniqueFd socket = Connect();
    Send(socket, "file");
    EXPECT_EQ(listener_->FilesInFlight().size(), 1U);
  }
  Turn();
  EXPECT_TRUE(listener_->FilesInFlight().empty());
}

TEST_F(ListenerTest, APacketOverTheLimitEndsTheSession) {
  Start();
  const UniqueFd socket = Connect();
  EXPECT_EQ(Exchange(socket, std::string(32, 'x')), std::string(32, 'x'));
  EXPECT_EQ(Exchange(socket, std::string(33, 'x')), "(closed)");
}

TEST_F(ListenerTest, TurnsAwayMoreConnectionsThanItMayHave) {
  Start();
  const UniqueFd first = Connect();
  const UniqueFd second = Connect();
  const UniqueFd third = Connect();
  EXPECT_EQ(Exchange(third, "c"), "(closed)");
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(Exchange(first, "a"), "a");
}

TEST_F(ListenerTest, ReplacesAStaleSocketAndSetsItsMode) {
  Start();
  listener_.reset();
  EXPECT_NE(::access(options_.path.c_str(), F_OK), 0);
  tree_.File("sock");
  Start();
  struct stat info{};
  ASSERT_EQ(::stat(options_.path.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(ListenerTest, ATooLongPathIsAClearError) {
  options_.path = tree_.Path(std::string(100, 'p'));
  const auto started = Listener::Start(loop_, options_, {});
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().context.find("--run-dir"), std::string::npos);
}

}  // namespace
}  // namespace openhook::server
