// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who may use which socket: the file modes let the kernel refuse, and where they would not, the
// broker looks at the peer's credentials itself.

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/hostile/hostile_test.h"

namespace openhook::hostile {
namespace {

using testing_support::BrokerProcess;
using testing_support::HelloRequest;
using testing_support::RawPeer;

constexpr uid_t kStranger = 1;
constexpr gid_t kControlGroup = 12345;

struct Identity {
  uid_t uid = kStranger;
  gid_t gid = kStranger;
  std::vector<gid_t> groups;
};

// What a peer got: as the exit status of a child that became somebody else.
enum Outcome : int { kServed, kNoConnection, kDenied, kBroken };

// Hello is the same message on both sockets; the replies differ in all but the outcome.
template <class Reply>
Outcome GreetOn(const std::string& path) {
  const auto peer = RawPeer::Connect(path);
  if (!peer) {
    return errno == EACCES ? kNoConnection : kBroken;
  }
  Reply reply;
  if (!peer->Send(HelloRequest().SerializeAsString()) ||
      !reply.ParseFromString(peer->Receive().bytes)) {
    return kBroken;
  }
  if (reply.outcome() == proto::OUTCOME_DENIED) {
    return peer->IsClosedByBroker() ? kDenied : kBroken;
  }
  return reply.outcome() == proto::OUTCOME_OK ? kServed : kBroken;
}

template <class Reply>
Outcome GreetAs(const Identity& who, const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool became = ::setgroups(who.groups.size(), who.groups.data()) == 0 &&
                        ::setgid(who.gid) == 0 && ::setuid(who.uid) == 0;
    ::_exit(became ? GreetOn<Reply>(path) : kBroken);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? static_cast<Outcome>(WEXITSTATUS(status)) : kBroken;
}

class Strangers : public HostileTest {
 protected:
  Outcome OpenAs(const Identity& who) const {
    return GreetAs<proto::Reply>(who, broker_->OpenSocket());
  }
  Outcome ControlAs(const Identity& who) const {
    return GreetAs<proto::ControlReply>(who, broker_->ControlSocket());
  }
  void SetUp() override { StartBroker({"--control-group", std::to_string(kControlGroup)}); }
  // As if an administrator had made a mistake: then only the broker's own check is left.
  void OpenSocketsToAll() const {
    ASSERT_EQ(::chmod(broker_->OpenSocket().c_str(), 0666), 0);
    ASSERT_EQ(::chmod(broker_->ControlSocket().c_str(), 0666), 0);
  }
};

TEST_F(Strangers, CannotConnectToEitherSocket) {
  EXPECT_EQ(OpenAs({}), kNoConnection);
  EXPECT_EQ(ControlAs({}), kNoConnection);
}

TEST_F(Strangers, AreRefusedByTheBrokerWhereTheFileModesAreLost) {
  OpenSocketsToAll();
  EXPECT_EQ(OpenAs({}), kDenied);
  EXPECT_EQ(ControlAs({}), kDenied);
}

TEST_F(Strangers, DoNotIncludeTheVmsOwnUserOnItsSocket) {
  EXPECT_EQ(OpenAs({BrokerProcess::kVmUid, BrokerProcess::kVmUid, {}}), kServed);
}

// A compromised QEMU has the VM's uid: that must not be enough to widen its own whitelist.
TEST_F(Strangers, IncludeTheVmsUserOnTheControlSocket) {
  const Identity qemu{BrokerProcess::kVmUid, BrokerProcess::kVmUid, {}};
  EXPECT_EQ(ControlAs(qemu), kNoConnection);
  OpenSocketsToAll();
  EXPECT_EQ(ControlAs(qemu), kDenied);
}

TEST_F(Strangers, DoNotIncludeMembersOfTheControlGroupOnTheControlSocket) {
  EXPECT_EQ(ControlAs({kStranger, kControlGroup, {}}), kServed);
  EXPECT_EQ(ControlAs({kStranger, kStranger, {5, kControlGroup}}), kServed);
}

TEST_F(Strangers, IncludeMembersOfTheControlGroupOnTheOpenSocket) {
  const Identity manager{kStranger, kControlGroup, {}};
  EXPECT_EQ(OpenAs(manager), kNoConnection);
  OpenSocketsToAll();
  EXPECT_EQ(OpenAs(manager), kDenied);
}

TEST_F(Strangers, CannotMakeTheBrokerHoldTheirConnections) {
  OpenSocketsToAll();
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(OpenAs({}), kDenied);
  }
}

}  // namespace
}  // namespace openhook::hostile
