// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/open.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "broker/fs/resolve.h"
#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

Result<IoFd> OpenPinned(const ResolvedFile& granted, const OpenIntent& intent) {
  auto file = ResolvePinned(granted.path, granted.identity);
  if (!file) {
    return tl::make_unexpected(file.error());
  }
  return OpenResolved(*file, granted.identity, intent);
}

OpenIntent Intent(Access access) {
  OpenIntent intent;
  intent.access = access;
  return intent;
}

TEST(ComposeFlags, EachIntentHasItsFlagAndNothingElse) {
  struct Row {
    OpenIntent intent;
    int flags;
  };
  std::vector<Row> rows(9);
  rows[0] = {Intent(Access::kRead), O_RDONLY};
  rows[1] = {Intent(Access::kWrite), O_WRONLY};
  rows[2] = {Intent(Access::kReadWrite), O_RDWR};
  rows[3].intent.direct = true;
  rows[3].flags = O_DIRECT;
  rows[4].intent.sync = true;
  rows[4].flags = O_SYNC;
  rows[5].intent.data_sync = true;
  rows[5].flags = O_DSYNC;
  rows[6].intent.append = true;
  rows[6].flags = O_APPEND;
  rows[7].intent.truncate = true;
  rows[7].flags = O_TRUNC;
  // Handled elsewhere, or not at all: never part of the flags.
  rows[8].intent.create = rows[8].intent.exclusive = rows[8].intent.nonblock = true;
  rows[8].intent.other_flags = 0xffffffff;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(ComposeFlags(rows[i].intent), rows[i].flags) << i;
  }
}

TEST(OpenAlgorithm, OpensTheGrantedFileWithTheAskedAccess) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f", "data")).value();
  for (const Access access : {Access::kRead, Access::kWrite, Access::kReadWrite}) {
    const auto fd = OpenPinned(granted, Intent(access));
    ASSERT_TRUE(fd);
    const int flags = ::fcntl(fd->Get(), F_GETFL);
    EXPECT_EQ(flags & O_NONBLOCK, 0);
    EXPECT_EQ(flags & O_ACCMODE, ComposeFlags(Intent(access)));
    EXPECT_EQ(::fcntl(fd->Get(), F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(testing::ReadAll(OpenPinned(granted, Intent(Access::kRead))->Get()), "data");
}

TEST(OpenAlgorithm, EachOpenIsAFreshFileDescription) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f", "abc")).value();
  const auto first = OpenPinned(granted, Intent(Access::kReadWrite));
  const auto second = OpenPinned(granted, Intent(Access::kReadWrite));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(::lseek(first->Get(), 2, SEEK_SET), 2);
  EXPECT_EQ(::lseek(second->Get(), 0, SEEK_CUR), 0);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  EXPECT_EQ(::fcntl(first->Get(), F_OFD_SETLK, &lock), 0);
  EXPECT_EQ(::fcntl(second->Get(), F_OFD_SETLK, &lock), -1) << "QEMU's image locks would not hold";
}

TEST(OpenAlgorithm, RefusesASymlinkSwappedInAfterTheGrant) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f")).value();
  tree.File("secret", "secret");
  ASSERT_EQ(::unlink(tree.Path("f").c_str()), 0);
  tree.Symlink("f", tree.Path("secret"));
  EXPECT_EQ(OpenPinned(granted, {}).error().code, ErrorCode::kConflict);
}

TEST(OpenAlgorithm, RefusesASymlinkedParentSwappedInAfterTheGrant) {
  const testing::TempTree tree;
  tree.Directory("dir");
  tree.Directory("evil");
  const auto granted = ResolveFollowing(tree.File("dir/f")).value();
  tree.File("evil/f", "secret");
  ASSERT_EQ(::rename(tree.Path("dir").c_str(), tree.Path("moved").c_str()), 0);
  tree.Symlink("dir", tree.Path("evil"));
  EXPECT_EQ(OpenPinned(granted, {}).error().code, ErrorCode::kConflict);
}

TEST(OpenAlgorithm, RefusesAnotherFileRenamedOverTheGrantedOne) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f")).value();
  tree.File("other", "secret");
  ASSERT_EQ(::rename(tree.Path("other").c_str(), tree.Path("f").c_str()), 0);
  EXPECT_EQ(OpenPinned(granted, {}).error().code, ErrorCode::kConflict);
}

TEST(OpenAlgorithm, AFifoInPlaceOfAFileNeitherOpensNorBlocks) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f")).value();
  ASSERT_EQ(::unlink(tree.Path("f").c_str()), 0);
  tree.Fifo("f");
  EXPECT_EQ(OpenPinned(granted, {}).error().code, ErrorCode::kConflict);
}

TEST(OpenAlgorithm, AGrantedFifoOpensWithoutWaitingForTheOtherEnd) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.Fifo("p")).value();
  EXPECT_TRUE(OpenPinned(granted, Intent(Access::kReadWrite)));
  EXPECT_TRUE(OpenPinned(granted, Intent(Access::kRead)));
  EXPECT_EQ(OpenPinned(granted, Intent(Access::kWrite)).error().sys_errno, ENXIO);
}

TEST(OpenAlgorithm, ALeaseOnTheFileCannotHoldTheBroker) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f", "x")).value();
  const auto previous = std::signal(SIGIO, SIG_IGN);
  const UniqueFd holder(::open(granted.path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::fcntl(holder.Get(), F_SETLEASE, F_RDLCK), 0);
  const auto fd = OpenPinned(granted, Intent(Access::kReadWrite));
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().sys_errno, EBUSY);
  ASSERT_EQ(::fcntl(holder.Get(), F_SETLEASE, F_UNLCK), 0);
  (void)std::signal(SIGIO, previous);
}

TEST(OpenAlgorithm, TruncatesOnlyWhenTheIntentSaysSo) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f", "data")).value();
  OpenIntent intent = Intent(Access::kReadWrite);
  ASSERT_TRUE(OpenPinned(granted, intent));
  EXPECT_EQ(testing::ReadFile(granted.path.str()), "data");
  intent.truncate = true;
  ASSERT_TRUE(OpenPinned(granted, intent));
  EXPECT_EQ(testing::ReadFile(granted.path.str()), "");
}

TEST(CheckAlias, SeesATurnedSymlink) {
  const testing::TempTree tree;
  const auto granted = ResolveFollowing(tree.File("f")).value();
  const std::string link = tree.Symlink("link", "f");
  EXPECT_TRUE(CheckAlias(link, granted.identity));
  ASSERT_EQ(::unlink(link.c_str()), 0);
  tree.File("other");
  tree.Symlink("link", "other");
  EXPECT_EQ(CheckAlias(link, granted.identity).error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace openhook::fs
