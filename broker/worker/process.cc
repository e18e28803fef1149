// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "broker/base/limits.h"
#include "broker/fs/proc_fd.h"
#include "broker/sandbox/descriptors.h"
#include "proto/bundle.h"

namespace openhook::worker {

namespace {

// The event loop's handlers write to a descriptor that is closed here.
void ResetSignals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
    (void)::signal(number, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool Prepare(const Program& program, const UniqueFd& socket, pid_t parent) {
  ResetSignals();
  // The broker's sockets above all: a worker that hangs must not keep a client's connection open.
  sandbox::CloseAllBut(socket, sandbox::StandardStreams::kKept);
  (void)::prctl(PR_SET_NAME, "openhook-worker");
  // After a change of credentials the kernel forgets the next, so the program's own comes first.
  return program.prepare() && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent &&
         fs::RenewProcFd().has_value();
}

class Loop {
 public:
  Loop(const Program& program, const UniqueFd& socket)
      : program_(program), socket_(socket), buffer_(limits::kMaxWorkerPacket) {}

  // Until the broker closes its end.
  void Run() {
    for (;;) {
      ReceivedBundle packet = ReceiveBundle(socket_.Get(), buffer_.data(), buffer_.size(),
                                            DescriptorRule::kAtMostOne, WaitMode::kWait);
      if (packet.status != BundleStatus::kOk || !Serve(&packet)) {
        return;
      }
    }
  }

 private:
  bool Serve(ReceivedBundle* packet) {
    const std::span<const std::uint8_t> content(buffer_.data() + 1, packet->size - 1);
    switch (static_cast<Verb>(buffer_[0])) {
      case Verb::kJob: {
        Product product = program_.perform(content);
        file_ = std::move(product.file);
        return Say(file_ ? Verb::kDoneHolding : Verb::kDone, product.reply);
      }
      case Verb::kDeliver:
        return file_ && packet->fd.IsValid() && Deliver(content, std::move(packet->fd)) && Close();
      case Verb::kDrop:
        return Close();
      default:
        return false;
    }
  }

  // The client's socket is closed before the file is: that may take for ever.
  bool Deliver(std::span<const std::uint8_t> reply, UniqueFd client) {
    const SentBundle sent =
        SendBundle(client.Get(), reply.data(), reply.size(), *file_, WaitMode::kDontWait);
    client.Reset();
    return Say(sent.status == BundleStatus::kOk ? Verb::kSent : Verb::kNotSent, "");
  }

  bool Close() {
    file_.reset();
    return Say(Verb::kClosed, "");
  }

  bool Say(Verb verb, const std::string& content) {
    const std::string packet = static_cast<char>(verb) + content;
    return SendBundle(socket_.Get(), packet.data(), packet.size(), WaitMode::kWait).status ==
           BundleStatus::kOk;
  }

  const Program& program_;
  const UniqueFd& socket_;
  std::vector<std::uint8_t> buffer_;
  std::optional<IoFd> file_;
};

// No destructor of the broker's may run here: they belong to the parent.
[[noreturn]] void RunWorker(const Program& program, const UniqueFd& socket, pid_t parent) {
  if (Prepare(program, socket, parent)) {
    Loop(program, socket).Run();
  }
  ::_exit(0);
}

}  // namespace

Result<Process> StartProcess(const Program& program) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return FailErrno(errno, "cannot make a socket pair for a worker process");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  if (::fcntl(ours.Get(), F_SETFL, O_NONBLOCK) != 0) {
    return FailErrno(errno, "cannot make a socket pair for a worker process");
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return FailErrno(errno, "cannot start a worker process");
  }
  if (pid == 0) {
    RunWorker(program, theirs, parent);
  }
  return Process{pid, std::move(ours)};
}

}  // namespace openhook::worker
