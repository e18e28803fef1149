// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace openhook {
namespace {

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesWhatItOwns) {
  const int raw = ::dup(0);
  {
    const UniqueFd fd(raw);
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFd, MovingLeavesNothingBehind) {
  UniqueFd first(::dup(0));
  const int raw = first.Get();
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first.IsValid());  // NOLINT(bugprone-use-after-move): that is the contract
  EXPECT_EQ(second.Get(), raw);
  second = UniqueFd(::dup(0));
  EXPECT_NE(second.Get(), -1);
}

TEST(UniqueFd, KeepsErrnoWhenItCloses) {
  UniqueFd fd(::dup(0));
  errno = ENOTTY;
  fd.Reset();
  EXPECT_EQ(errno, ENOTTY);
}

TEST(UniqueFd, ReleaseGivesUpOwnership) {
  UniqueFd fd(::dup(0));
  const int raw = fd.Release();
  fd.Reset();
  EXPECT_TRUE(IsOpen(raw));
  ::close(raw);
}

}  // namespace
}  // namespace openhook
