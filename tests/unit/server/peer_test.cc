// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/peer.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/base/unique_fd.h"

namespace openhook::server {
namespace {

TEST(Peer, IsReadFromTheKernel) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd left(pair[0]);
  const UniqueFd right(pair[1]);
  const auto peer = ReadPeer(left);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_TRUE(peer->pidfd.IsValid());
}

TEST(Peer, WithoutASocketThereIsNone) { EXPECT_FALSE(ReadPeer(UniqueFd())); }

TEST(CheckPeer, WantsTheUserOrTheGroup) {
  struct Row {
    Peer peer;
    PeerPolicy policy;
    bool accepted;
  };
  const Row rows[] = {
      {{1, 10, 10, {}, {}}, {10, {}}, true}, {{1, 11, 10, {}, {}}, {10, {}}, false},
      {{1, 0, 0, {}, {}}, {10, {}}, true},   {{1, 11, 5, {}, {}}, {10, 5}, true},
      {{1, 11, 6, {5}, {}}, {10, 5}, true},  {{1, 11, 6, {7}, {}}, {10, 5}, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(CheckPeer(row.peer, row.policy).has_value(), row.accepted)
        << row.peer.uid << ":" << row.peer.gid;
  }
}

}  // namespace
}  // namespace openhook::server
