// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/peer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "broker/base/text.h"

namespace openhook::server {

namespace {

std::vector<gid_t> ReadGroups(int socket) {
  std::vector<gid_t> groups(64);
  socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0 &&
      errno == ERANGE) {
    groups.resize(bytes / sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0) {
      bytes = 0;
    }
  }
  // A kernel that does not tell (before 4.13) gives no group, so no right from one.
  groups.resize(bytes / sizeof(gid_t) <= groups.size() ? bytes / sizeof(gid_t) : 0);
  return groups;
}

std::optional<std::string> ReadLabel(int socket) {
  std::string label(256, '\0');
  socklen_t bytes = static_cast<socklen_t>(label.size());
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERSEC, label.data(), &bytes) != 0) {
    if (errno != ERANGE) {
      return std::nullopt;
    }
    label.resize(bytes);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERSEC, label.data(), &bytes) != 0) {
      return std::nullopt;
    }
  }
  label.resize(bytes);
  // SELinux counts the terminating NUL, AppArmor does not.
  while (!label.empty() && label.back() == '\0') {
    label.pop_back();
  }
  return label;
}

}  // namespace

Result<Peer> ReadPeer(int socket) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return FailErrno(errno, "cannot read the credentials of a peer");
  }
  return Peer{credentials.pid, credentials.uid, credentials.gid, ReadGroups(socket),
              ReadLabel(socket)};
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
  if (policy.label && peer.label != policy.label) {
    return Fail(ErrorCode::kPermission,
                "this socket serves the label " + Quote(*policy.label) + " only; the peer has " +
                    (peer.label ? Quote(*peer.label) : "none that the kernel tells"));
  }
  return {};
}

}  // namespace openhook::server
