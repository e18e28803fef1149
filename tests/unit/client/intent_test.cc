// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/intent.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace openhook::client {
namespace {

// The bits that are set in the intent, in the order of its fields.
std::string Words(const OpenIntent& intent) {
  std::string words;
  const auto add = [&](bool set, const char* word) { words += set ? std::string(word) + " " : ""; };
  add(intent.direct, "direct");
  add(intent.sync, "sync");
  add(intent.data_sync, "data_sync");
  add(intent.append, "append");
  add(intent.truncate, "truncate");
  add(intent.create, "create");
  add(intent.exclusive, "exclusive");
  add(intent.nonblock, "nonblock");
  add(intent.no_follow, "no_follow");
  add(intent.close_on_exec, "close_on_exec");
  add(intent.other_flags != 0, "other");
  return words;
}

TEST(OpenIntent, EveryBitIsUnderstoodOrHandedOn) {
  struct Row {
    int flags;
    const char* words;
    int other_flags;
  };
  const Row rows[] = {
      {0, "", 0},
      {O_DIRECT, "direct ", 0},
      {O_SYNC, "sync ", 0},
      {O_DSYNC, "data_sync ", 0},
      {O_APPEND, "append ", 0},
      {O_TRUNC, "truncate ", 0},
      {O_CREAT, "create ", 0},
      {O_CREAT | O_EXCL, "create exclusive ", 0},
      {O_NONBLOCK, "nonblock ", 0},
      {O_NOFOLLOW, "no_follow ", 0},
      {O_CLOEXEC, "close_on_exec ", 0},
      {O_NOCTTY, "", 0},
      {0100000, "", 0},  // O_LARGEFILE, as the kernel counts
      {O_EXCL, "other ", O_EXCL},
      {O_ASYNC, "other ", O_ASYNC},
      {O_DIRECTORY, "other ", O_DIRECTORY},
      {O_NOATIME, "other ", O_NOATIME},
      {O_PATH, "other ", O_PATH},
      {O_TMPFILE, "other ", O_TMPFILE},
      {O_PATH | O_CLOEXEC, "close_on_exec other ", O_PATH},
  };
  for (const Row& row : rows) {
    const OpenIntent intent = IntentOf(row.flags);
    EXPECT_EQ(Words(intent), row.words) << std::oct << row.flags;
    EXPECT_EQ(intent.other_flags, static_cast<std::uint32_t>(row.other_flags))
        << std::oct << row.flags;
  }
}

TEST(OpenIntent, NoBitOfTheWordIsLost) {
  constexpr int kMeaningless = O_NOCTTY | 0100000;
  for (int bit = 2; bit < 32; ++bit) {
    const int flag = static_cast<int>(1U << bit);
    if ((flag & kMeaningless) != 0) {
      continue;
    }
    EXPECT_NE(Words(IntentOf(flag)), "") << "bit " << bit;
  }
}

TEST(OpenIntent, TheAccessModeIsAnEnumAndNotBits) {
  EXPECT_EQ(IntentOf(O_RDONLY).access, IntendedAccess::kRead);
  EXPECT_EQ(IntentOf(O_WRONLY).access, IntendedAccess::kWrite);
  EXPECT_EQ(IntentOf(O_RDWR).access, IntendedAccess::kReadWrite);
  const OpenIntent ioctl_only = IntentOf(3);
  EXPECT_EQ(ioctl_only.access, IntendedAccess::kNone);
  EXPECT_EQ(ioctl_only.other_flags, 3U);
}

TEST(OpenIntent, AModeIsReadOnlyWhereThereIsOne) {
  EXPECT_TRUE(TakesMode(O_CREAT));
  EXPECT_TRUE(TakesMode(O_TMPFILE | O_RDWR));
  EXPECT_FALSE(TakesMode(O_DIRECTORY));  // a part of O_TMPFILE
  EXPECT_FALSE(TakesMode(O_RDWR | O_TRUNC));
}

TEST(StreamMode, IsTheFlagsThatFopenDocuments) {
  struct Row {
    const char* mode;
    int flags;
  };
  const Row rows[] = {
      {"r", O_RDONLY},
      {"rb", O_RDONLY},
      {"r+", O_RDWR},
      {"rb+", O_RDWR},
      {"w", O_WRONLY | O_CREAT | O_TRUNC},
      {"w+", O_RDWR | O_CREAT | O_TRUNC},
      {"a", O_WRONLY | O_CREAT | O_APPEND},
      {"a+", O_RDWR | O_CREAT | O_APPEND},
      {"wx", O_WRONLY | O_CREAT | O_TRUNC | O_EXCL},
      {"re", O_RDONLY | O_CLOEXEC},
      {"rm", O_RDONLY},
      {"", -1},
      {"x", -1},
      {"r,ccs=UTF-8", -1},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(FlagsOfStreamMode(row.mode), row.flags) << row.mode;
  }
}

}  // namespace
}  // namespace openhook::client
