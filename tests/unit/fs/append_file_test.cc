// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/append_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

TEST(AppendFile, AppendsAcrossReopening) {
  const testing::TempTree tree;
  ASSERT_TRUE(AppendFile::Open(tree.Path("log"), 1000)->Append("one"));
  ASSERT_TRUE(AppendFile::Open(tree.Path("log"), 1000)->Append("two"));
  EXPECT_EQ(testing::ReadFile(tree.Path("log")), "one\ntwo\n");
  struct stat info{};
  ASSERT_EQ(::stat(tree.Path("log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(AppendFile, KeepsOneOldFileAndNoMore) {
  const testing::TempTree tree;
  auto log = AppendFile::Open(tree.Path("log"), 10);
  ASSERT_TRUE(log);
  for (const char* line : {"first", "second", "third"}) {
    ASSERT_TRUE(log->Append(line));
  }
  EXPECT_EQ(testing::ReadFile(tree.Path("log.1")), "second\n");
  EXPECT_EQ(testing::ReadFile(tree.Path("log")), "third\n");
}

TEST(AppendFile, RefusesASymlink) {
  const testing::TempTree tree;
  tree.Symlink("log", tree.File("victim"));
  EXPECT_FALSE(AppendFile::Open(tree.Path("log"), 1000));
}

TEST(AppendFile, SaysAFullDisk) {
  auto full = AppendFile::Open("/dev/full", 1000);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->Append("x").error().sys_errno, ENOSPC);
}

}  // namespace
}  // namespace openhook::fs
