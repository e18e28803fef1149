// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/chain/reader_rights.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>

namespace openhook::chain {
namespace {

constexpr int kNotEntered = 255;

// What a process without rights ends with: 0 when the call succeeded, else its errno.
int WithoutRights(const std::function<long(const UniqueFd&)>& call) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!GiveUpRights(theirs)) {
      ::_exit(kNotEntered);
    }
    errno = 0;
    ::_exit(call(theirs) >= 0 ? 0 : errno);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

class ReaderRights : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "needs root: without rights there is nothing to give up";
  }
};

TEST_F(ReaderRights, ReachNoFileNoProcessAndNoNetwork) {
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::open("/dev/null", O_RDONLY)}; }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) {
              struct stat info{};
              return long{::stat("/", &info)};
            }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::socket(AF_UNIX, SOCK_STREAM, 0)}; }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::socket(AF_INET, SOCK_STREAM, 0)}; }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) {
              return long{::execl("/bin/true", "true", static_cast<char*>(nullptr))};
            }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::fork()}; }), EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::kill(::getpid(), SIGTERM)}; }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return ::ptrace(PTRACE_TRACEME, 0, 0, 0); }),
            EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::setuid(0)}; }), EPERM);
  EXPECT_EQ(WithoutRights([](const UniqueFd&) { return long{::write(STDERR_FILENO, "x", 1)}; }),
            EPERM);
}

TEST_F(ReaderRights, LeaveTheSocketToTheParentAlone) {
  EXPECT_EQ(WithoutRights([](const UniqueFd& parent) {
              return long{::send(parent.Get(), "x", 1, MSG_NOSIGNAL)};
            }),
            EPERM)
      << "send(2) is sendto(2), which can name another peer";
  EXPECT_EQ(WithoutRights([](const UniqueFd& parent) {
              char byte = 'x';
              iovec part{&byte, 1};
              msghdr message{};
              message.msg_iov = &part;
              message.msg_iovlen = 1;
              return long{::sendmsg(parent.Get(), &message, MSG_NOSIGNAL)};
            }),
            0);
  // All that was open before is closed: the standard streams have gone too.
  EXPECT_EQ(WithoutRights([](const UniqueFd&) {
              msghdr message{};
              return long{::sendmsg(STDERR_FILENO, &message, MSG_NOSIGNAL)};
            }),
            EBADF);
}

TEST_F(ReaderRights, BoundMemory) {
  EXPECT_EQ(WithoutRights([](const UniqueFd&) {
              const std::size_t size = std::size_t{512} << 20;
              void* memory = ::malloc(size);
              errno = memory == nullptr ? ENOMEM : 0;
              return memory == nullptr ? -1L : 0L;
            }),
            ENOMEM);
}

}  // namespace
}  // namespace openhook::chain
