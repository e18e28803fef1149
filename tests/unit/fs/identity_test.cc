// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/identity.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "broker/fs/resolve.h"
#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

FileIdentity IdentityAt(const std::string& path) { return ResolveFollowing(path).value().identity; }

TEST(Identity, KnowsTheKinds) {
  const testing::TempTree tree;
  EXPECT_EQ(IdentityAt(tree.File("f")).kind, FileKind::kRegular);
  EXPECT_EQ(IdentityAt(tree.Directory("d")).kind, FileKind::kDirectory);
  EXPECT_EQ(IdentityAt(tree.Fifo("p")).kind, FileKind::kFifo);
  const FileIdentity null = IdentityAt("/dev/null");
  EXPECT_EQ(null.kind, FileKind::kCharacter);
  EXPECT_EQ(null.rdev, 0x103U);  // major 1, minor 3 (Documentation/admin-guide/devices.txt)
}

TEST(Identity, IsTheSameForEveryNameOfAFile) {
  const testing::TempTree tree;
  const std::string file = tree.File("f");
  ASSERT_EQ(::link(file.c_str(), tree.Path("g").c_str()), 0);
  EXPECT_TRUE(SameFile(IdentityAt(file), IdentityAt(tree.Path("g"))));
  EXPECT_FALSE(SameFile(IdentityAt(file), IdentityAt(tree.File("h"))));
}

TEST(Identity, AReplacedFileIsAnotherFileEvenWithTheOldInodeNumber) {
  const testing::TempTree tree;
  const FileIdentity pinned = IdentityAt(tree.File("f"));
  int reused = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(::unlink(tree.Path("f").c_str()), 0);
    const FileIdentity now = IdentityAt(tree.File("f"));
    reused += now.ino == pinned.ino ? 1 : 0;
    EXPECT_FALSE(SameFile(pinned, now)) << "inode " << now.ino;
  }
  RecordProperty("inode_numbers_reused", reused);
}

TEST(Identity, ComparesEveryField) {
  const FileIdentity base{FileKind::kRegular, 1, 2, 3, 0, 5, true, "h"};
  const auto differs = [&](auto change) {
    FileIdentity other = base;
    change(&other);
    return !SameFile(base, other);
  };
  EXPECT_TRUE(SameFile(base, base));
  EXPECT_TRUE(differs([](FileIdentity* i) { i->kind = FileKind::kBlock; }));
  EXPECT_TRUE(differs([](FileIdentity* i) { i->dev = 9; }));
  EXPECT_TRUE(differs([](FileIdentity* i) { i->ino = 9; }));
  EXPECT_TRUE(differs([](FileIdentity* i) { i->mount_id = 9; }));
  EXPECT_TRUE(differs([](FileIdentity* i) { i->rdev = 9; }));
  EXPECT_TRUE(differs([](FileIdentity* i) { i->birth_ns = 9; }));
  // With a settled birth time the handle is not read again; without one it decides.
  EXPECT_FALSE(differs([](FileIdentity* i) { i->handle.clear(); }));
  FileIdentity young = base;
  young.birth_settled = false;
  FileIdentity reused = young;
  reused.handle = "other generation";
  EXPECT_FALSE(SameFile(young, reused));
}

TEST(Identity, AcrossMountsOnlyAHandleConvinces) {
  const FileIdentity pinned{FileKind::kRegular, 1, 2, 3, 0, 5, true, "h"};
  FileIdentity remounted = pinned;
  remounted.dev = 8;
  remounted.mount_id = 9;
  EXPECT_TRUE(SameFileAcrossMounts(pinned, remounted));
  remounted.handle = "other";
  EXPECT_FALSE(SameFileAcrossMounts(pinned, remounted));
  FileIdentity without = pinned;
  without.handle.clear();
  EXPECT_FALSE(SameFileAcrossMounts(without, without));
}

TEST(CheckSameInode, SeesAnotherFile) {
  const testing::TempTree tree;
  const FileIdentity pinned = IdentityAt(tree.File("f"));
  const IoFd same{UniqueFd(::open(tree.Path("f").c_str(), O_RDONLY | O_CLOEXEC))};
  EXPECT_TRUE(CheckSameInode(same, pinned));
  const IoFd other{UniqueFd(::open(tree.File("g").c_str(), O_RDONLY | O_CLOEXEC))};
  EXPECT_EQ(CheckSameInode(other, pinned).error().code, ErrorCode::kConflict);
}

// libvirt gives each QEMU a /dev of its own.
TEST(KeyOf, ADeviceIsOneByAnyOfItsNodes) {
  const FileIdentity node{.kind = FileKind::kCharacter, .dev = 5, .ino = 1, .rdev = 77};
  FileIdentity other = {.kind = FileKind::kCharacter, .dev = 6, .ino = 2, .rdev = 77};
  EXPECT_EQ(KeyOf(node), KeyOf(other));
  other.rdev = 78;
  EXPECT_NE(KeyOf(node), KeyOf(other));
  const FileIdentity file{.kind = FileKind::kRegular, .dev = 5, .ino = 1};
  EXPECT_NE(KeyOf(file), KeyOf({.kind = FileKind::kRegular, .dev = 5, .ino = 2}));
}

TEST(BootId, LooksLikeAUuid) {
  const auto id = BootId();
  ASSERT_TRUE(id);
  EXPECT_EQ(id->size(), 36U);
  EXPECT_EQ((*id)[8], '-');
}

}  // namespace
}  // namespace openhook::fs
