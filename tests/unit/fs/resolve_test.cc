// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/resolve.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

CanonicalPath Canonical(const std::string& path) { return CanonicalPath::Parse(path).value(); }

TEST(ResolveNoSymlinks, FindsARealPath) {
  const testing::TempTree tree;
  tree.Directory("a/b");
  EXPECT_TRUE(ResolveNoSymlinks(Canonical(tree.File("a/b/c"))));
  EXPECT_TRUE(ResolveNoSymlinks(Canonical("/")));
}

TEST(ResolveNoSymlinks, RefusesASymlinkInEachPlace) {
  const testing::TempTree tree;
  tree.Directory("real");
  tree.File("real/file");
  tree.Symlink("dir-link", tree.Path("real"));
  tree.Symlink("file-link", tree.Path("real/file"));
  tree.Symlink("dangling", tree.Path("nothing"));
  for (const char* name : {"dir-link/file", "file-link", "dangling", "dir-link"}) {
    const auto file = ResolveNoSymlinks(Canonical(tree.Path(name)));
    ASSERT_FALSE(file) << name;
    EXPECT_EQ(file.error().code, ErrorCode::kConflict) << name;
    EXPECT_EQ(file.error().sys_errno, ELOOP) << name;
  }
}

TEST(ResolveNoSymlinks, SaysWhatIsAbsent) {
  const testing::TempTree tree;
  tree.File("file");
  for (const char* name : {"nothing", "file/below"}) {
    const auto file = ResolveNoSymlinks(Canonical(tree.Path(name)));
    ASSERT_FALSE(file) << name;
    EXPECT_EQ(file.error().code, ErrorCode::kNotFound) << name;
  }
}

TEST(ResolveFollowing, ReturnsTheRealPathBehindSymlinks) {
  const testing::TempTree tree;
  tree.Directory("real");
  const std::string file = tree.File("real/file");
  tree.Symlink("link", "real");
  const auto direct = ResolveFollowing(file);
  const auto linked = ResolveFollowing(tree.Path("link/../link/./file"));
  ASSERT_TRUE(direct && linked);
  EXPECT_EQ(linked->path.str(), file);
  EXPECT_TRUE(SameFile(direct->identity, linked->identity));
}

TEST(ResolveFollowing, RefusesMagicLinksAndRelativeNames) {
  const testing::TempTree tree;
  const std::string file = tree.File("file");
  EXPECT_FALSE(ResolveFollowing("relative"));
  EXPECT_FALSE(ResolveFollowing(""));
  if (MethodInUse() == ResolveMethod::kOpenat2) {
    const auto magic = ResolveFollowing("/proc/self/root" + file);
    ASSERT_FALSE(magic);
    EXPECT_EQ(magic.error().code, ErrorCode::kConflict);
  } else {
    // Without openat2 the link is followed, but what comes out is the plain path of the file.
    EXPECT_EQ(ResolveFollowing("/proc/self/root" + file)->path.str(), file);
  }
}

TEST(ResolveFollowing, RefusesAFileThatHasNoName) {
  const testing::TempTree tree;
  const UniqueFd fd(::dup(0));
  EXPECT_FALSE(ResolveFollowing(tree.Path("gone")));
}

}  // namespace
}  // namespace openhook::fs
