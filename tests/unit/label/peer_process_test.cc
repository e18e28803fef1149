// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/peer_process.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "policy/label/detect.h"

namespace openhook::label {
namespace {

// A process that waits to be killed.
class Sleeper {
 public:
  Sleeper() : pid_(::fork()) {
    if (pid_ == 0) {
      ::pause();
      ::_exit(0);
    }
    pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0U)));
  }
  ~Sleeper() {
    Kill();
    ::waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // It stays a zombie: its entries in /proc are still there.
  void Kill() const {
    siginfo_t info{};
    ::kill(pid_, SIGKILL);
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const UniqueFd& pidfd() const { return pidfd_; }

 private:
  pid_t pid_;
  UniqueFd pidfd_;
};

TEST(PeerProcess, IsThatOfTheSocketsOtherEnd) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd left(pair[0]);
  const UniqueFd right(pair[1]);
  const UniqueFd pidfd = OpenPeerPidfd(left, ::getpid());
  EXPECT_TRUE(PeerProcess::Open(::getpid(), pidfd));
}

TEST(PeerProcess, OneThatHasEndedIsNobody) {
  const Sleeper sleeper;
  sleeper.Kill();
  const auto process = PeerProcess::Open(sleeper.pid(), sleeper.pidfd());
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(PeerProcess::Open(::getpid(), UniqueFd())) << "no pidfd could be had";
  EXPECT_FALSE(PeerProcess::Open(0, sleeper.pidfd())) << "of another PID namespace";
}

TEST(PeerProcess, ThatEndsLaterHasNoLabelAnyMoreThoughItsZombieHas) {
  const Sleeper sleeper;
  const auto process = PeerProcess::Open(sleeper.pid(), sleeper.pidfd());
  ASSERT_TRUE(process);
  sleeper.Kill();
  const auto label = process->Label();
  ASSERT_FALSE(label);
  EXPECT_EQ(label.error().code, ErrorCode::kNotFound);
}

TEST(PeerProcess, TheLabelIsThatOfTheModuleInForce) {
  const Sleeper sleeper;
  const auto process = PeerProcess::Open(sleeper.pid(), sleeper.pidfd());
  ASSERT_TRUE(process);
  const auto label = process->Label();
  if (ModuleInForce(ReadKernelFacts()) == Module::kNone) {
    ASSERT_FALSE(label);
    EXPECT_EQ(label.error().code, ErrorCode::kUnavailable);
  } else {
    ASSERT_TRUE(label);
    EXPECT_FALSE(label->empty());
  }
}

}  // namespace
}  // namespace openhook::label
