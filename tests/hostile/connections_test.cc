// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Peers that misuse the connection itself: floods, half closes, never reading, no room for a
// descriptor, coming and going.

#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "broker/base/limits.h"
#include "tests/hostile/hostile_test.h"

namespace openhook::hostile {
namespace {

using std::chrono::steady_clock;
using testing_support::Ask;
using testing_support::ConnectGreeted;
using testing_support::HelloRequest;
using testing_support::OpenRequest;
using testing_support::Packet;
using testing_support::RawPeer;

constexpr int kFlood = 100'000;
constexpr int kVisits = 10'000;
// Each open reply that waits in a socket takes some of its send buffer; the broker drops the peer
// when that is full, long before this many.
constexpr int kMostUnreadReplies = 2'000;
// "Promptly", for a broker that shares two slow processors with the attacker and this test.
constexpr auto kPrompt = std::chrono::seconds(2);

class Connections : public HostileTest {
 protected:
  // Sends requests and never reads, until the broker drops the peer. How many were taken.
  [[nodiscard]] int SendUntilDropped(const RawPeer& peer, const std::string& packet) const {
    int sent = 0;
    while (sent < kFlood && peer.SendPatiently(packet)) {
      ++sent;
    }
    return sent;
  }
};

TEST_F(Connections, ClosedForSendingAreAnsweredAndThenClosed) {
  for (const bool greeted : {false, true}) {
    SCOPED_TRACE(greeted ? "after Hello" : "before Hello");
    const RawPeer peer = greeted ? Greeted() : Connected();
    ASSERT_EQ(::shutdown(peer.Get(), SHUT_WR), 0);
    EXPECT_TRUE(peer.IsClosedByBroker());
  }
  SCOPED_TRACE("with a request on its way");
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.Send(OpenRequest(granted_).SerializeAsString()));
  ASSERT_EQ(::shutdown(peer.Get(), SHUT_WR), 0);
  const Packet packet = peer.Receive();
  EXPECT_EQ(packet.kind, Packet::Kind::kData);
  EXPECT_EQ(packet.fds.size(), 1U);
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Connections, ClosedForReceivingAreDroppedAtTheFirstReply) {
  for (const bool greeted : {false, true}) {
    SCOPED_TRACE(greeted ? "after Hello" : "before Hello");
    const RawPeer peer = greeted ? Greeted() : Connected();
    ASSERT_EQ(::shutdown(peer.Get(), SHUT_RD), 0);
    const auto deadline = steady_clock::now() + std::chrono::seconds(10);
    const std::string packet =
        (greeted ? OpenRequest(granted_) : HelloRequest()).SerializeAsString();
    while (peer.SendPatiently(packet) && steady_clock::now() < deadline) {
    }
    EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET) << errno;
  }
}

TEST_F(Connections, ThatNeverReadAreDropped) {
  const std::string packet = OpenRequest(granted_).SerializeAsString();
  EXPECT_LT(SendUntilDropped(Greeted(), packet), kMostUnreadReplies);
  // Answers without a descriptor are smaller.
  EXPECT_LT(SendUntilDropped(Greeted(), OpenRequest(secret_).SerializeAsString()),
            kMostUnreadReplies);
}

TEST_F(Connections, ThatNeverReadOnTheControlSocketAreDropped) {
  const auto peer = RawPeer::Connect(broker_->ControlSocket());
  ASSERT_TRUE(peer);
  proto::ControlRequest request;
  request.mutable_hello()->set_min_version(1);
  request.mutable_hello()->set_max_version(1);
  ASSERT_TRUE(peer->Send(request.SerializeAsString()));
  request.mutable_status();
  EXPECT_LT(SendUntilDropped(*peer, request.SerializeAsString()), kMostUnreadReplies);
}

// While one peer floods, over as many connections as it takes, another is served, and so is the
// administrator.
TEST_F(Connections, ThatFloodWithRequestsDoNotStarveOthers) {
  std::atomic<bool> over = false;
  std::atomic<int> drops = 0;
  std::thread flood([&] {
    const std::string packet = OpenRequest(granted_).SerializeAsString();
    for (int left = kFlood; left > 0;) {
      left -= SendUntilDropped(Greeted(), packet) + 1;
      ++drops;
    }
    over = true;
  });
  auto slowest = steady_clock::duration::zero();
  int rounds = 0;
  do {
    const auto start = steady_clock::now();
    ExpectServesOpen();
    ExpectServesControl();
    slowest = std::max(slowest, steady_clock::now() - start);
    ++rounds;
  } while (!over && !HasFatalFailure());
  flood.join();
  EXPECT_LT(slowest, kPrompt);
  EXPECT_GT(drops, 0);
  RecordProperty("rounds", rounds);
}

TEST_F(Connections, BeyondTheLimitAreClosedAndTheControlSocketServes) {
  std::vector<RawPeer> greeted;
  for (std::size_t i = 0; i < limits::kMaxOpenSessions; ++i) {
    greeted.push_back(Greeted());
  }
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(Connected().IsClosedByBroker());
  }
  ExpectServesControl();
  // Those who came first are still served.
  const auto answer = Ask(greeted.front(), OpenRequest(granted_));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reply.outcome(), proto::OUTCOME_OK);
}

// The backlog of the socket takes them, the broker has to get through them.
TEST_F(Connections, ThatComeAndVanishLeaveNothingBehind) {
  const std::string hello = HelloRequest().SerializeAsString();
  for (int i = 0; i < kVisits; ++i) {
    const RawPeer peer = Connected();
    if (i % 3 == 1) {
      ASSERT_TRUE(peer.Send(hello));
    } else if (i % 3 == 2) {
      ASSERT_TRUE(peer.Send(OpenRequest(granted_).SerializeAsString()) || errno == EPIPE);
    }
    if (i % 1'000 == 0) {
      ExpectServesControl();
    }
  }
}

TEST_F(Connections, ThatVanishWithADescriptorInFlightLeaveNothingBehind) {
  for (int i = 0; i < 1'000; ++i) {
    const RawPeer peer = Greeted();
    ASSERT_TRUE(peer.Send(OpenRequest(granted_).SerializeAsString()));
  }
}

// As QEMU with a full descriptor table: the kernel drops the descriptor and says so, and the
// connection goes on.
TEST_F(Connections, WithoutRoomForADescriptorGoOn) {
  const RawPeer peer = Greeted();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_TRUE(peer.Send(OpenRequest(granted_).SerializeAsString()));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Packet packet = peer.Receive();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  proto::Reply reply;
  ASSERT_TRUE(reply.ParseFromString(packet.bytes));
  EXPECT_TRUE(reply.descriptor());
  EXPECT_TRUE(packet.fds.empty());
  EXPECT_NE(packet.flags & MSG_CTRUNC, 0);
  const auto again = Ask(peer, OpenRequest(granted_));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->fd.IsValid());
}

// A watcher that does not read misses events; it neither blocks the broker nor makes it grow.
TEST_F(Connections, ThatWatchAndNeverReadLoseEventsOnly) {
  const auto watcher = RawPeer::Connect(broker_->ControlSocket());
  ASSERT_TRUE(watcher);
  proto::ControlRequest request;
  request.mutable_hello()->set_min_version(1);
  request.mutable_hello()->set_max_version(1);
  ASSERT_TRUE(watcher->Send(request.SerializeAsString()));
  request.mutable_watch()->set_follow(true);
  ASSERT_TRUE(watcher->Send(request.SerializeAsString()));
  const RawPeer peer = Greeted();
  for (int i = 0; i < 5'000; ++i) {
    const auto answer = Ask(peer, OpenRequest(granted_ + std::to_string(i)));
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->reply.outcome(), proto::OUTCOME_DENIED);
  }
}

}  // namespace
}  // namespace openhook::hostile
