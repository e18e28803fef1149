// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/create.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/fs/resolve.h"
#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

OpenIntent CreateIntent(std::uint32_t mode) {
  OpenIntent intent;
  intent.access = Access::kReadWrite;
  intent.create = true;
  intent.mode = mode;
  return intent;
}

TEST(CreateIn, MakesTheFileWithTheClientsModeWhateverOurUmaskIs) {
  const testing::TempTree tree;
  const auto dir = ResolveFollowing(tree.root()).value();
  const mode_t previous = ::umask(0077);
  const auto file = CreateIn(dir.fd, "new", CreateIntent(0644));
  ::umask(previous);
  ASSERT_TRUE(file);
  struct stat info{};
  ASSERT_EQ(::fstat(file->fd.Get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0644U);
  EXPECT_EQ(info.st_ino, file->identity.ino);
  EXPECT_EQ(::fcntl(file->fd.Get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(CreateIn, SetsTheFlagsOfTheIntentOrLeavesNoFile) {
  const testing::TempTree tree;
  const auto dir = ResolveFollowing(tree.root()).value();
  OpenIntent intent = CreateIntent(0600);
  intent.direct = intent.append = intent.nonblock = true;
  const auto file = CreateIn(dir.fd, "new", intent);
  ASSERT_TRUE(file) << file.error().Message();
  const int wanted = O_DIRECT | O_APPEND | O_NONBLOCK;
  EXPECT_EQ(::fcntl(file->fd.Get(), F_GETFL) & wanted, wanted);

  // procfs has no direct I/O and lets nobody create files; tmpfs before Linux 6.6 has none either.
  const auto proc = ResolveFollowing("/proc").value();
  EXPECT_FALSE(CreateIn(proc.fd, "new", intent));
  EXPECT_FALSE(ExistsIn(proc.fd, "new").value());
}

TEST(CreateIn, NeverMakesSetIdOrExecutableFiles) {
  const testing::TempTree tree;
  const auto dir = ResolveFollowing(tree.root()).value();
  const auto file = CreateIn(dir.fd, "new", CreateIntent(07777));
  ASSERT_TRUE(file);
  struct stat info{};
  ASSERT_EQ(::fstat(file->fd.Get(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0666U);
}

TEST(CreateIn, NeverOpensWhatExistsNorFollowsALink) {
  const testing::TempTree tree;
  const auto dir = ResolveFollowing(tree.root()).value();
  tree.File("there", "old");
  tree.Symlink("dangling", tree.Path("elsewhere"));
  for (const char* name : {"there", "dangling"}) {
    const auto file = CreateIn(dir.fd, name, CreateIntent(0600));
    ASSERT_FALSE(file) << name;
    EXPECT_EQ(file.error().sys_errno, EEXIST) << name;
  }
  EXPECT_EQ(testing::ReadFile(tree.Path("there")), "old");
  EXPECT_FALSE(ExistsIn(dir.fd, "elsewhere").value());
}

TEST(ExistsIn, SeesEverythingThatTakesAName) {
  const testing::TempTree tree;
  const auto dir = ResolveFollowing(tree.root()).value();
  tree.Symlink("dangling", "nowhere");
  EXPECT_TRUE(ExistsIn(dir.fd, "dangling").value());
  EXPECT_FALSE(ExistsIn(dir.fd, "nothing").value());
}

TEST(UnlinkIn, RemovesOnlyTheFileItWasMeantFor) {
  const testing::TempTree tree;
  const auto dir = ResolveFollowing(tree.root()).value();
  const auto file = CreateIn(dir.fd, "new", CreateIntent(0600));
  ASSERT_TRUE(file);
  tree.File("other");
  EXPECT_EQ(UnlinkIn(dir.fd, "other", file->identity).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(ExistsIn(dir.fd, "other").value());
  EXPECT_TRUE(UnlinkIn(dir.fd, "new", file->identity));
  EXPECT_EQ(UnlinkIn(dir.fd, "new", file->identity).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace openhook::fs
