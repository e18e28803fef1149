// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The process that connected, by descriptors that go on meaning it: a number alone may belong to
// another process by now.

#ifndef POLICY_LABEL_PEER_PROCESS_H_
#define POLICY_LABEL_PEER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <utility>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::label {

// The pidfd of who connected `socket`: from the kernel where it keeps one (SO_PEERPIDFD,
// Linux 6.5), else opened by `pid`, which SO_PEERCRED told. Invalid when the process has ended.
UniqueFd OpenPeerPidfd(const UniqueFd& socket, pid_t pid);
bool HasPeerPidfds(const UniqueFd& socket);

class PeerProcess {
 public:
  // `pidfd` is of the process `pid`. Errors: kNotFound when it has ended, or cannot be seen (0).
  static Result<PeerProcess> Open(pid_t pid, const UniqueFd& pidfd);

  // The label that it has at this moment, in the words of /proc/PID/attr/current. Errors: kNotFound
  // when it has ended, kUnavailable when the kernel does not tell.
  [[nodiscard]] Result<std::string> Label() const;

 private:
  PeerProcess(UniqueFd pidfd, UniqueFd attribute)
      : pidfd_(std::move(pidfd)), attribute_(std::move(attribute)) {}
  UniqueFd pidfd_;
  UniqueFd attribute_;
};

}  // namespace openhook::label

#endif  // POLICY_LABEL_PEER_PROCESS_H_
