// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "policy/label/peer_process.h"
#include "policy/label/socket_label.h"

namespace openhook::server {

namespace {

std::vector<gid_t> ReadGroups(const UniqueFd& socket) {
  std::vector<gid_t> groups(64);
  socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0 &&
      errno == ERANGE) {
    groups.resize(bytes / sizeof(gid_t));
    if (::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0) {
      bytes = 0;
    }
  }
  // A kernel that does not tell (before 4.13) gives no group, so no right from one.
  groups.resize(bytes / sizeof(gid_t) <= groups.size() ? bytes / sizeof(gid_t) : 0);
  return groups;
}

}  // namespace

Result<Peer> ReadPeer(const UniqueFd& socket) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return FailErrno(errno, "cannot read the credentials of a peer");
  }
  return Peer{credentials.pid,
              credentials.uid,
              credentials.gid,
              ReadGroups(socket),
              label::ReadSocketLabel(socket),
              label::OpenPeerPidfd(socket, credentials.pid)};
}

Result<void> CheckPeer(const Peer& peer, const PeerPolicy& policy) {
  const bool in_group = policy.group && (peer.gid == *policy.group ||
                                         std::find(peer.groups.begin(), peer.groups.end(),
                                                   *policy.group) != peer.groups.end());
  if (peer.uid != 0 && peer.uid != policy.uid && !in_group) {
    return Fail(ErrorCode::kPermission,
                "this socket serves uid " + std::to_string(policy.uid) +
                    (policy.group ? " and group " + std::to_string(*policy.group) : "") +
                    " only; the peer has uid " + std::to_string(peer.uid));
  }
  return {};
}

}  // namespace openhook::server
