// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace openhook {
namespace {

TEST(Error, SaysWhatWasTriedAndWhyItFailed) {
  const Error error = ErrnoError(ENOENT, "cannot open '/a'");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.Message(), "cannot open '/a': No such file or directory");
  EXPECT_EQ((Error{ErrorCode::kLimit, 0, "too many grants"}).Message(), "too many grants");
}

TEST(Error, CodesFollowFromErrno) {
  EXPECT_EQ(ErrnoError(EACCES, "").code, ErrorCode::kPermission);
  EXPECT_EQ(ErrnoError(ELOOP, "").code, ErrorCode::kConflict);
  EXPECT_EQ(ErrnoError(EMFILE, "").code, ErrorCode::kLimit);
  EXPECT_EQ(ErrnoError(ENOSYS, "").code, ErrorCode::kUnsupported);
  EXPECT_EQ(ErrnoError(EIO, "").code, ErrorCode::kIo);
  EXPECT_EQ(ToString(ErrorCode::kConflict), "conflict");
}

TEST(CheckOrDieDeathTest, NamesTheBrokenInvariant) {
  EXPECT_DEATH(CheckOrDie(false, "two owners"), "broken invariant: two owners");
}

}  // namespace
}  // namespace openhook
