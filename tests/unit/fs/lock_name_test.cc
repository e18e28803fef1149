// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/lock_name.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>

#include "broker/fs/resolve.h"
#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

FileIdentity Identity(FileKind kind, std::uint64_t dev) {
  FileIdentity identity;
  identity.kind = kind;
  identity.dev = dev;
  identity.ino = 12;
  identity.birth_ns = 0x7fff;
  return identity;
}

std::optional<std::string> NameOf(const std::string& path) {
  return LockName(ResolveFollowing(path).value().identity);
}

TEST(LockName, IsOneForAllNamesOfAFileAndAnotherForEachFile) {
  const testing::TempTree tree;
  const std::string file = tree.File("a");
  tree.Symlink("symlink", file);
  ASSERT_EQ(::link(file.c_str(), tree.Path("hard-link").c_str()), 0);
  EXPECT_EQ(NameOf(file), NameOf(tree.Path("symlink")));
  EXPECT_EQ(NameOf(file), NameOf(tree.Path("hard-link")));
  EXPECT_NE(NameOf(file), NameOf(tree.File("b")));
}

TEST(LockName, IsOneThroughABindMount) {
  const testing::TempTree tree;
  tree.Directory("images");
  const std::string file = tree.File("images/a");
  const std::string view = tree.Directory("view");
  ASSERT_EQ(::mount(tree.Path("images").c_str(), view.c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto through_mount = NameOf(view + "/a");
  ASSERT_EQ(::umount(view.c_str()), 0);
  EXPECT_EQ(NameOf(file), through_mount);
}

TEST(LockName, OfADiskDoesNotDependOnTheDeviceNode) {
  const testing::TempTree tree;
  for (const char* name : {"one", "two"}) {
    ASSERT_EQ(::mknod(tree.Path(name).c_str(), S_IFBLK | 0600, makedev(7, 250)), 0);
  }
  ASSERT_EQ(::mknod(tree.Path("other").c_str(), S_IFBLK | 0600, makedev(7, 251)), 0);
  EXPECT_EQ(NameOf(tree.Path("one")), "block-7-250");
  EXPECT_EQ(NameOf(tree.Path("one")), NameOf(tree.Path("two")));
  EXPECT_NE(NameOf(tree.Path("one")), NameOf(tree.Path("other")));
}

TEST(LockName, AFileThatGotADeletedOnesInodeNumberHasItsOwn) {
  FileIdentity first = Identity(FileKind::kRegular, makedev(8, 1));
  FileIdentity second = first;
  second.birth_ns = first.birth_ns + 1;
  EXPECT_NE(LockName(first), LockName(second));
}

TEST(LockName, FollowsTheHandleWhereDeviceNumbersAreGivenAtMountTime) {
  FileIdentity one = Identity(FileKind::kRegular, makedev(0, 40));
  FileIdentity other_mount = Identity(FileKind::kRegular, makedev(0, 41));
  EXPECT_NE(LockName(one), LockName(other_mount)) << "without a handle the number is all there is";
  one.handle = other_mount.handle = "one handle";
  EXPECT_EQ(LockName(one), LockName(other_mount));
  other_mount.handle = "two handle";
  EXPECT_NE(LockName(one), LockName(other_mount));
}

TEST(LockName, TheLargestHandleFitsIntoAFileName) {
  FileIdentity identity = Identity(FileKind::kRegular, makedev(0, 40));
  identity.birth_ns = -1;
  identity.handle = std::string(sizeof(int) + MAX_HANDLE_SZ, '\xff');
  const auto name = LockName(identity);
  ASSERT_TRUE(name);
  EXPECT_LE(name->size(), std::size_t{NAME_MAX});
  EXPECT_EQ(name->find('/'), std::string::npos);
}

TEST(LockName, NoTwoHandlesShareOne) {
  std::vector<std::string> names;
  for (const std::string& handle :
       {std::string(1, '\0'), std::string(2, '\0'), std::string(3, '\0'),
        std::string("\0\0\x01", 3), std::string("\xff\xff", 2)}) {
    FileIdentity identity = Identity(FileKind::kRegular, makedev(0, 40));
    identity.handle = handle;
    EXPECT_THAT(names, ::testing::Not(::testing::Contains(*LockName(identity))));
    names.push_back(*LockName(identity));
  }
}

TEST(LockName, NothingElseIsLocked) {
  for (const FileKind kind :
       {FileKind::kCharacter, FileKind::kFifo, FileKind::kDirectory, FileKind::kOther}) {
    EXPECT_FALSE(LockName(Identity(kind, makedev(8, 1))));
  }
}

}  // namespace
}  // namespace openhook::fs
