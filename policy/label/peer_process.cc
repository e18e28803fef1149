// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/peer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

// Newer than Debian 12's headers.
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace openhook::label {

namespace {

struct KeptPidfd {
  UniqueFd fd;
  int failure = 0;  // ENOPROTOOPT: this kernel keeps none
};

KeptPidfd ReadKeptPidfd(const UniqueFd& socket) {
  int pidfd = -1;
  socklen_t bytes = sizeof(pidfd);
  if (::getsockopt(socket.Get(), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes) != 0) {
    return {UniqueFd(), errno};
  }
  return {UniqueFd(pidfd), 0};
}

// A pidfd is readable once its process has ended (pidfd_open(2)).
bool HasEnded(const UniqueFd& pidfd) {
  pollfd waiting{pidfd.Get(), POLLIN, 0};
  return !pidfd.IsValid() || ::poll(&waiting, 1, 0) != 0;
}

// The file of AppArmor's own first: attr/current is that of whichever module comes first.
UniqueFd OpenAttribute(pid_t pid) {
  const std::string attributes = "/proc/" + std::to_string(pid) + "/attr/";
  UniqueFd own(::open((attributes + "apparmor/current").c_str(), O_RDONLY | O_CLOEXEC));
  return own.IsValid() || errno != ENOENT
             ? std::move(own)
             : UniqueFd(::open((attributes + "current").c_str(), O_RDONLY | O_CLOEXEC));
}

tl::unexpected<Error> Ended() {
  return Fail(ErrorCode::kNotFound,
              "the process that connected has ended, so nobody can say who asks now; let QEMU "
              "connect itself");
}

}  // namespace

UniqueFd OpenPeerPidfd(const UniqueFd& socket, pid_t pid) {
  KeptPidfd kept = ReadKeptPidfd(socket);
  if (kept.failure != ENOPROTOOPT || pid <= 0) {
    return std::move(kept.fd);
  }
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}

bool HasPeerPidfds(const UniqueFd& socket) { return ReadKeptPidfd(socket).fd.IsValid(); }

// An open file of /proc/PID belongs to that process for good, whoever has the number later; the
// pidfd makes sure that the name led to it.
Result<PeerProcess> PeerProcess::Open(pid_t pid, const UniqueFd& pidfd) {
  if (pid <= 0) {
    return Fail(
        ErrorCode::kNotFound,
        "the peer is in a PID namespace that cannot be seen from here; run openhookd in the "
        "host's, or in that of QEMU");
  }
  UniqueFd attribute = OpenAttribute(pid);
  const int reason = errno;
  if (HasEnded(pidfd)) {
    return Ended();
  }
  if (!attribute.IsValid()) {
    return FailErrno(reason, "cannot open the label of the peer, process " + std::to_string(pid) +
                                 "; is /proc mounted, without hidepid?");
  }
  UniqueFd own(::fcntl(pidfd.Get(), F_DUPFD_CLOEXEC, 0));
  if (!own.IsValid()) {
    return FailErrno(errno, "cannot keep hold of the peer's process");
  }
  return PeerProcess(std::move(own), std::move(attribute));
}

// The pidfd after the label: a process that has ended and was not waited for still has one, and
// what it connected may be another's now.
Result<std::string> PeerProcess::Label() const {
  std::array<char, 4096> buffer;
  const ssize_t bytes = ::pread(attribute_.Get(), buffer.data(), buffer.size(), 0);
  const int reason = bytes < 0 ? errno : 0;
  if (HasEnded(pidfd_)) {
    return Ended();
  }
  if (bytes <= 0) {
    return tl::make_unexpected(
        Error{ErrorCode::kUnavailable, reason, "cannot read the label of the peer"});
  }
  return std::string(buffer.data(), static_cast<std::size_t>(bytes));
}

}  // namespace openhook::label
