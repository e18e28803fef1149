// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who is on the other end of a socket: what the kernel recorded when the peer connected. uid, gid
// and groups authorise here, the label in policy/label; the pid may belong to somebody else by now
// and is for logs.

#ifndef BROKER_SERVER_PEER_H_
#define BROKER_SERVER_PEER_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::server {

struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;         // supplementary
  std::optional<std::string> label;  // of its socket; absent where no security module answers
  UniqueFd pidfd;                    // invalid: the process has ended
};

// SO_PEERCRED, SO_PEERGROUPS, SO_PEERSEC, SO_PEERPIDFD (unix(7), socket(7)). Errors: the kernel's;
// a peer that cannot be identified is refused.
Result<Peer> ReadPeer(const UniqueFd& socket);

// What a listening socket demands of its peers.
struct PeerPolicy {
  uid_t uid = 0;               // this user, or root
  std::optional<gid_t> group;  // or a member of this group
};

// Errors: kPermission saying what is missing.
Result<void> CheckPeer(const Peer& peer, const PeerPolicy& policy);

}  // namespace openhook::server

#endif  // BROKER_SERVER_PEER_H_
