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
  const auto peer = ReadPeer(left.Get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->pid, ::getpid());
}

TEST(Peer, WithoutASocketThereIsNone) { EXPECT_FALSE(ReadPeer(-1)); }

TEST(CheckPeer, WantsTheUserOrTheGroupAndAlwaysTheLabel) {
  struct Row {
    Peer peer;
    PeerPolicy policy;
    bool accepted;
  };
  const std::vector<Row> rows = {
      {{1, 10, 10, {}, {}}, {10, {}, {}}, true},
      {{1, 11, 10, {}, {}}, {10, {}, {}}, false},
      {{1, 0, 0, {}, {}}, {10, {}, {}}, true},
      {{1, 11, 5, {}, {}}, {10, 5, {}}, true},
      {{1, 11, 6, {5}, {}}, {10, 5, {}}, true},
      {{1, 11, 6, {7}, {}}, {10, 5, {}}, false},
      {{1, 10, 10, {}, {}}, {10, {}, "l"}, false},
      {{1, 10, 10, {}, "m"}, {10, {}, "l"}, false},
      {{1, 10, 10, {}, "l"}, {10, {}, "l"}, true},
      {{1, 10, 10, {}, "l (complain)"}, {10, {}, "l"}, false},
      {{1, 0, 0, {}, {}}, {10, {}, "l"}, false},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(CheckPeer(rows[i].peer, rows[i].policy).has_value(), rows[i].accepted) << i;
  }
}

}  // namespace
}  // namespace openhook::server
