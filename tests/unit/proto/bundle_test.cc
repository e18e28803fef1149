// SPDX-License-Identifier: LGPL-2.1-or-later

#include "proto/bundle.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace openhook {
namespace {

std::ptrdiff_t OpenDescriptors() {
  const std::filesystem::directory_iterator begin("/proc/self/fd");
  return std::distance(begin, std::filesystem::directory_iterator());
}

class Bundle : public ::testing::Test {
 protected:
  void SetUp() override {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    left_ = UniqueFd(pair[0]);
    right_ = UniqueFd(pair[1]);
    before_ = OpenDescriptors();
  }

  ReceivedBundle Receive(DescriptorRule rule, std::size_t capacity = 64) {
    return ReceiveBundle(right_.Get(), buffer_.data(), capacity, rule, WaitMode::kDontWait);
  }

  // A peer that builds its own control data: one SCM_RIGHTS header per element.
  void SendRaw(const std::vector<int>& descriptors_per_header, std::string data = "x") {
    std::vector<unsigned char> control(4096);
    iovec part{data.data(), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    std::size_t used = 0;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    for (const int count : descriptors_per_header) {
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(count));
      const std::vector<int> fds(static_cast<std::size_t>(count), left_.Get());
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
      used += CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(count));
      header = CMSG_NXTHDR(&message, header);
    }
    message.msg_controllen = used;
    ASSERT_GT(::sendmsg(left_.Get(), &message, 0), 0) << std::strerror(errno);
  }

  UniqueFd left_;
  UniqueFd right_;
  std::array<char, 64> buffer_{};
  std::ptrdiff_t before_ = 0;
};

TEST_F(Bundle, CarriesAPacketWithoutADescriptor) {
  EXPECT_EQ(SendBundle(left_.Get(), "hello", 5, WaitMode::kWait).status, BundleStatus::kOk);
  const auto got = Receive(DescriptorRule::kNone);
  EXPECT_EQ(got.status, BundleStatus::kOk);
  EXPECT_EQ(std::string(buffer_.data(), got.size), "hello");
  EXPECT_FALSE(got.fd.IsValid());
}

TEST_F(Bundle, CarriesExactlyOneDescriptorCloseOnExec) {
  {
    const IoFd zero{UniqueFd(::open("/dev/zero", O_RDONLY | O_CLOEXEC))};
    EXPECT_EQ(SendBundle(left_.Get(), "f", 1, zero, WaitMode::kWait).status, BundleStatus::kOk);
  }
  const auto got = Receive(DescriptorRule::kAtMostOne);
  ASSERT_EQ(got.status, BundleStatus::kOk);
  ASSERT_TRUE(got.fd.IsValid());
  EXPECT_EQ(::fcntl(got.fd.Get(), F_GETFD), FD_CLOEXEC);
  char byte = 1;
  EXPECT_EQ(::read(got.fd.Get(), &byte, 1), 1);
  EXPECT_EQ(byte, 0);
}

TEST_F(Bundle, ClosesEveryDescriptorThatWasNotAskedFor) {
  struct Attack {
    std::vector<int> headers;
    DescriptorRule rule;
    const char* what;
  };
  const std::vector<Attack> attacks = {
      {{1}, DescriptorRule::kNone, "one where none is expected"},
      {{2}, DescriptorRule::kAtMostOne, "two where one is allowed"},
      {{253}, DescriptorRule::kAtMostOne, "as many as the kernel takes"},
      {{253}, DescriptorRule::kNone, "as many as the kernel takes, none expected"},
  };
  for (const Attack& attack : attacks) {
    SendRaw(attack.headers);
    EXPECT_EQ(Receive(attack.rule).status, BundleStatus::kUnexpectedFds) << attack.what;
    EXPECT_EQ(OpenDescriptors(), before_) << attack.what;
  }
}

TEST_F(Bundle, TwoControlHeadersLeakNothing) {
  SendRaw({1, 1});
  EXPECT_EQ(Receive(DescriptorRule::kAtMostOne).status, BundleStatus::kUnexpectedFds);
  EXPECT_EQ(OpenDescriptors(), before_);
}

TEST_F(Bundle, APacketThatDoesNotFitIsRefusedWithItsDescriptor) {
  SendRaw({1}, std::string(65, 'x'));
  EXPECT_EQ(Receive(DescriptorRule::kAtMostOne).status, BundleStatus::kTooLarge);
  EXPECT_EQ(OpenDescriptors(), before_);
}

TEST_F(Bundle, AFullDescriptorTableShowsAsALostDescriptor) {
  SendRaw({1}, "data");
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto got = Receive(DescriptorRule::kAtMostOne);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(got.status, BundleStatus::kDescriptorLost);
  EXPECT_EQ(std::string(buffer_.data(), got.size), "data");
}

TEST_F(Bundle, TellsAnEmptyQueueFromAClosedPeer) {
  EXPECT_EQ(Receive(DescriptorRule::kNone).status, BundleStatus::kAgain);
  left_.Reset();
  EXPECT_EQ(Receive(DescriptorRule::kNone).status, BundleStatus::kClosed);
  EXPECT_EQ(SendBundle(right_.Get(), "x", 1, WaitMode::kWait).status, BundleStatus::kClosed);
}

TEST_F(Bundle, AFullQueueIsSaidInsteadOfWaitedFor) {
  SentBundle sent{BundleStatus::kOk, 0};
  for (int i = 0; i < 100'000 && sent.status == BundleStatus::kOk; ++i) {
    sent = SendBundle(left_.Get(), "x", 1, WaitMode::kDontWait);
  }
  EXPECT_EQ(sent.status, BundleStatus::kAgain);
}

}  // namespace
}  // namespace openhook
