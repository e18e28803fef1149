// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/reader_process.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "broker/chain/reader.h"
#include "broker/chain/reader_rights.h"

namespace openhook::chain {

namespace {

// No destructor of the parent's may run here. What cannot be given up ends it without a word.
[[noreturn]] void BecomeReader(UniqueFd socket, pid_t parent, const std::string& image,
                               std::optional<image::Format> declared, image::Reach reach) {
  (void)::prctl(PR_SET_NAME, "openhook-reader");
  // After a change of credentials the kernel forgets the signal, and the filter forbids to ask for
  // it again: so the socket's end has to do for the time after.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent && GiveUpRights(socket)) {
    RunReader(std::move(socket), image, declared, reach);
  }
  ::_exit(0);
}

}  // namespace

Result<ReaderProcess> ReaderProcess::Start(const std::string& image,
                                           std::optional<image::Format> declared,
                                           image::Reach reach) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return FailErrno(errno, "cannot make a socket pair for the reader of headers");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return FailErrno(errno, "cannot start the reader of headers");
  }
  if (pid == 0) {
    BecomeReader(std::move(theirs), parent, image, declared, reach);
  }
  return ReaderProcess(pid, std::move(ours));
}

ReaderProcess::~ReaderProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

}  // namespace openhook::chain
