// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Packets that no honest client sends: control data, wrong sizes, bytes that are no message.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <random>

#include "broker/base/limits.h"
#include "tests/hostile/hostile_test.h"

namespace openhook::hostile {
namespace {

using testing_support::Ask;
using testing_support::CredentialsHeader;
using testing_support::HelloRequest;
using testing_support::OpenRequest;
using testing_support::Packet;
using testing_support::RawPeer;
using testing_support::RightsHeader;

constexpr int kGarbagePackets = 2'000;
constexpr int kFlippedPackets = 6'000;

std::vector<int> Repeat(const UniqueFd& fd, std::size_t times) {
  return std::vector<int>(times, fd.Get());
}

UniqueFd AnyDescriptor() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

class Packets : public HostileTest {};

TEST_F(Packets, WithDescriptorsAreRefusedAndTheDescriptorsClosed) {
  const UniqueFd fd = AnyDescriptor();
  for (const std::size_t count : {1U, 2U, 17U, 253U}) {
    SCOPED_TRACE(count);
    const RawPeer peer = Greeted();
    ASSERT_TRUE(peer.SendWithControl(OpenRequest(granted_).SerializeAsString(),
                                     RightsHeader(Repeat(fd, count))));
    EXPECT_TRUE(peer.IsClosedByBroker());
  }
}

TEST_F(Packets, WithDescriptorsInsteadOfAHelloAreRefused) {
  const UniqueFd fd = AnyDescriptor();
  const RawPeer peer = Connected();
  ASSERT_TRUE(
      peer.SendWithControl(HelloRequest().SerializeAsString(), RightsHeader(Repeat(fd, 3))));
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Packets, WithTwoControlHeadersAreRefused) {
  const UniqueFd fd = AnyDescriptor();
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.SendWithControl(OpenRequest(granted_).SerializeAsString(),
                                   RightsHeader(Repeat(fd, 2)) + RightsHeader(Repeat(fd, 2))));
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Packets, WithCredentialsBesideDescriptorsAreRefused) {
  const UniqueFd fd = AnyDescriptor();
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.SendWithControl(OpenRequest(granted_).SerializeAsString(),
                                   CredentialsHeader() + RightsHeader(Repeat(fd, 1))));
  EXPECT_TRUE(peer.IsClosedByBroker());
}

// The kernel passes credentials on only to a receiver that asked for them (SO_PASSCRED). The broker
// does not, so they are neither believed nor counted.
TEST_F(Packets, WithCredentialsAloneAreServedAsAnyOther) {
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.SendWithControl(OpenRequest(secret_).SerializeAsString(), CredentialsHeader()));
  proto::Reply reply;
  ASSERT_TRUE(reply.ParseFromString(peer.Receive().bytes));
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_DENIED);
}

// SO_PASSCRED is the receiver's own option: setting it on our end changes nothing for the broker.
TEST_F(Packets, OfAPeerThatWantsCredentialsAreServedAsAnyOther) {
  const RawPeer peer = Greeted();
  const int on = 1;
  ASSERT_EQ(::setsockopt(peer.Get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  const auto answer = Ask(peer, OpenRequest(granted_));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reply.outcome(), proto::OUTCOME_OK);
}

TEST_F(Packets, WithDescriptorsOnTheControlSocketAreRefused) {
  const UniqueFd fd = AnyDescriptor();
  const auto peer = RawPeer::Connect(broker_->ControlSocket());
  ASSERT_TRUE(peer);
  ASSERT_TRUE(
      peer->SendWithControl(HelloRequest().SerializeAsString(), RightsHeader(Repeat(fd, 5))));
  EXPECT_TRUE(peer->IsClosedByBroker());
}

TEST_F(Packets, LargerThanTheLimitEndTheConnection) {
  for (const std::size_t beyond : {std::size_t{1}, limits::kMaxOpenPacket * 4}) {
    SCOPED_TRACE(beyond);
    const RawPeer peer = Greeted();
    ASSERT_TRUE(peer.Send(std::string(limits::kMaxOpenPacket + beyond, '\x0a')));
    EXPECT_TRUE(peer.IsClosedByBroker());
  }
}

TEST_F(Packets, LargerThanTheLimitDoNotSmuggleDescriptors) {
  const UniqueFd fd = AnyDescriptor();
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.SendWithControl(std::string(limits::kMaxOpenPacket + 1, 'x'),
                                   RightsHeader(Repeat(fd, 9))));
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Packets, OfExactlyTheLimitAreRead) {
  proto::Request request = OpenRequest(granted_);
  // The length of the field takes three bytes from here on.
  std::string* cwd = request.mutable_open()->mutable_cwd();
  cwd->resize(limits::kMaxOpenPacket - 500, 'x');
  cwd->resize(cwd->size() + limits::kMaxOpenPacket - request.ByteSizeLong(), 'x');
  ASSERT_EQ(request.ByteSizeLong(), limits::kMaxOpenPacket);
  const auto answer = Ask(Greeted(), request);
  ASSERT_TRUE(answer);
  // The path is absolute, so the working directory is not looked at.
  EXPECT_EQ(answer->reply.outcome(), proto::OUTCOME_OK);
}

TEST_F(Packets, WithNothingInThemEndTheConnection) {
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.Send(""));
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Packets, BeforeHelloAreRefusedAndTheConnectionClosed) {
  const RawPeer peer = Connected();
  const auto answer = Ask(peer, OpenRequest(granted_));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reply.outcome(), proto::OUTCOME_BAD_REQUEST);
  EXPECT_FALSE(answer->fd.IsValid());
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Packets, WithRepeatedIdsAreEachAnswered) {
  const RawPeer peer = Greeted();
  for (int i = 0; i < 100; ++i) {
    const auto answer = Ask(peer, OpenRequest(i % 2 == 0 ? granted_ : secret_, 7));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->reply.id(), 7U);
    EXPECT_EQ(answer->fd.IsValid(), i % 2 == 0);
  }
}

// A program name that is not UTF-8 does not parse; it must not be shouted into the log either.
TEST_F(Packets, WithTextThatIsNotUtf8AreRefused) {
  proto::Request request = HelloRequest();
  request.mutable_hello()->set_program("plain");
  std::string bytes = request.SerializeAsString();
  bytes[bytes.size() - 1] = '\xff';
  const RawPeer peer = Connected();
  ASSERT_TRUE(peer.Send(bytes));
  proto::Reply reply;
  ASSERT_TRUE(reply.ParseFromString(peer.Receive().bytes));
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_BAD_REQUEST);
  EXPECT_TRUE(peer.IsClosedByBroker());
}

TEST_F(Packets, NestedDeeplyAreRefusedWithoutRecursion) {
  // Field 99 as a group in a group in a group ...: the parser would recurse to skip it.
  std::string groups;
  for (int i = 0; i < 8'000; ++i) {
    groups += "\x9b\x06";
  }
  const RawPeer peer = Greeted();
  ASSERT_TRUE(peer.Send(groups.substr(0, limits::kMaxOpenPacket)));
  proto::Reply reply;
  ASSERT_TRUE(reply.ParseFromString(peer.Receive().bytes));
  EXPECT_EQ(reply.outcome(), proto::OUTCOME_BAD_REQUEST);
}

TEST_F(Packets, WithPathsThatAreNoPathsAreDenied) {
  struct Row {
    std::string path;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {"", "empty"},
      {std::string("\0", 1), "only a NUL"},
      {granted_ + std::string("\0x", 2), "granted up to a NUL"},
      {granted_ + "/..", "nor has it a parent entry"},
      {granted_ + "/../secret.img", "sibling through a file"},
      {std::string(4096, '/'), "too long"},
      {"/" + std::string(300, 'a'), "component too long"},
      {"/proc/self/root" + granted_, "magic link in front"},
      {"granted.img", "relative without a directory"},
      {"/dev/fd/3", "descriptor by name"},
  };
  const RawPeer peer = Greeted();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    const auto answer = Ask(peer, OpenRequest(row.path));
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->reply.outcome(), proto::OUTCOME_OK);
    EXPECT_FALSE(answer->fd.IsValid());
  }
}

// Connections that a packet ended are made anew. Whatever comes back, a descriptor is the granted
// file's.
class Noise : public Packets {
 protected:
  void TearDown() override {
    peer_.reset();
    Packets::TearDown();
  }

  void Feed(const std::string& bytes) {
    // The broker may have closed after its last reply.
    if (!peer_ || !peer_->Send(bytes)) {
      peer_ = Greeted();
      ASSERT_TRUE(peer_->Send(bytes));
    }
    const Packet packet = peer_->Receive();
    ASSERT_NE(packet.kind, Packet::Kind::kNothing) << "no answer within the time";
    for (const UniqueFd& fd : packet.fds) {
      ExpectIsGranted(fd);
    }
    if (packet.kind == Packet::Kind::kClosed) {
      peer_.reset();
    }
  }

  void ExpectIsGranted(const UniqueFd& fd) const {
    struct stat got{};
    struct stat granted{};
    ASSERT_EQ(::fstat(fd.Get(), &got), 0);
    ASSERT_EQ(::stat(granted_.c_str(), &granted), 0);
    EXPECT_EQ(got.st_ino, granted.st_ino);
    EXPECT_EQ(got.st_dev, granted.st_dev);
  }

  std::mt19937_64 random_{20240229};

 private:
  std::optional<RawPeer> peer_;
};

TEST_F(Noise, OfRandomBytesIsSurvived) {
  for (int i = 0; i < kGarbagePackets && !HasFatalFailure(); ++i) {
    std::string bytes(1 + random_() % 512, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random_());
    }
    Feed(bytes);
  }
}

TEST_F(Noise, OfValidPacketsWithFlippedBitsIsSurvived) {
  proto::Request stat;
  stat.mutable_stat()->set_path(granted_);
  proto::Request unlink;
  unlink.mutable_unlink()->set_path(granted_);
  proto::Request create = OpenRequest(secret_);
  create.mutable_open()->set_create(true);
  create.mutable_open()->set_token(42);
  const std::vector<proto::Request> valid = {OpenRequest(granted_), OpenRequest(secret_), stat,
                                             unlink, create};
  for (int i = 0; i < kFlippedPackets && !HasFatalFailure(); ++i) {
    std::string bytes = valid[random_() % valid.size()].SerializeAsString();
    for (std::uint64_t flips = 1 + random_() % 4; flips > 0; --flips) {
      const std::uint64_t bit = random_() % (bytes.size() * 8);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    Feed(bytes);
  }
}

TEST_F(Packets, OfNoiseOnTheControlSocketAreSurvived) {
  std::mt19937_64 random{7};
  for (int i = 0; i < 500; ++i) {
    const auto peer = RawPeer::Connect(broker_->ControlSocket());
    ASSERT_TRUE(peer);
    std::string bytes(1 + random() % 200, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    ASSERT_TRUE(peer->Send(bytes));
    ASSERT_NE(peer->Receive().kind, Packet::Kind::kNothing);
  }
}

}  // namespace
}  // namespace openhook::hostile
