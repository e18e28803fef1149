// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

TEST(EnsurePrivateDirectory, MakesOneAndAcceptsItAgain) {
  const testing::TempTree tree;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(EnsurePrivateDirectory(tree.Path("run"), 0711));
  }
  struct stat info{};
  ASSERT_EQ(::stat(tree.Path("run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0711U);
}

TEST(EnsurePrivateDirectory, RefusesWhatOthersCouldPrepare) {
  const testing::TempTree tree;
  ASSERT_EQ(::chmod(tree.Directory("writable").c_str(), 0777), 0);
  EXPECT_EQ(EnsurePrivateDirectory(tree.Path("writable"), 0711).error().code,
            ErrorCode::kPermission);
  tree.Directory("real");
  tree.Symlink("link", "real");
  EXPECT_FALSE(EnsurePrivateDirectory(tree.Path("link"), 0711));
  tree.File("file");
  EXPECT_FALSE(EnsurePrivateDirectory(tree.Path("file"), 0711));
}

TEST(ListDirectory, ReturnsSortedNames) {
  const testing::TempTree tree;
  tree.File("b");
  tree.File("a");
  EXPECT_EQ(ListDirectory(tree.root()).value(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ListDirectory(tree.Path("none")).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(SyncDirectory(tree.root()));
}

}  // namespace
}  // namespace openhook::fs
