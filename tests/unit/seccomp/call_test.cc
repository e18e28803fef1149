// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/call.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace openhook::seccomp {
namespace {

using client::Links;
using Kind = Call::Kind;

constexpr std::uint64_t kPath = 0x1000;
constexpr std::uint64_t kOther = 0x2000;
constexpr std::uint64_t kAtCwd = static_cast<std::uint64_t>(AT_FDCWD);  // sign-extended
constexpr std::uint64_t kAtCwd32 = static_cast<std::uint32_t>(AT_FDCWD);

seccomp_data Data(int number, std::initializer_list<std::uint64_t> arguments) {
  seccomp_data data{};
  data.nr = number;
  data.arch = AUDIT_ARCH_X86_64;
  std::size_t i = 0;
  for (const std::uint64_t argument : arguments) {
    data.args[i++] = argument;
  }
  return data;
}

struct OpenRow {
  seccomp_data data;
  int dirfd;
  int flags;
  mode_t mode;
};

TEST(DecodeCall, KnowsEveryFormOfOpen) {
  const OpenRow rows[] = {
      {Data(SYS_open, {kPath, O_RDWR | O_CLOEXEC, 0777}), AT_FDCWD, O_RDWR | O_CLOEXEC, 0},
      {Data(SYS_open, {kPath, O_RDWR | O_CREAT, 0644}), AT_FDCWD, O_RDWR | O_CREAT, 0644},
      {Data(SYS_openat, {kAtCwd, kPath, O_RDONLY, 0}), AT_FDCWD, O_RDONLY, 0},
      {Data(SYS_openat, {kAtCwd32, kPath, O_WRONLY | O_CREAT, 0100600}), AT_FDCWD,
       O_WRONLY | O_CREAT, 0600},
      {Data(SYS_openat, {7, kPath, O_RDONLY, 0}), 7, O_RDONLY, 0},
      {Data(SYS_creat, {kPath, 0640}), AT_FDCWD, O_CREAT | O_WRONLY | O_TRUNC, 0640},
  };
  for (const OpenRow& row : rows) {
    const auto call = DecodeCall(row.data);
    ASSERT_TRUE(call) << row.data.nr;
    EXPECT_EQ(call->kind, Kind::kOpen);
    EXPECT_EQ(call->path, kPath);
    EXPECT_EQ(call->dirfd, row.dirfd);
    EXPECT_EQ(call->flags, row.flags);
    EXPECT_EQ(call->mode, row.mode);
  }
}

TEST(DecodeCall, KnowsEveryFormOfStat) {
  struct Row {
    seccomp_data data;
    Kind kind;
    Links links;
  };
  const Row rows[] = {
      {Data(SYS_stat, {kPath, kOther}), Kind::kStat, Links::kFollow},
      {Data(SYS_lstat, {kPath, kOther}), Kind::kStat, Links::kDoNotFollow},
      {Data(SYS_newfstatat, {kAtCwd, kPath, kOther, 0}), Kind::kStat, Links::kFollow},
      {Data(SYS_newfstatat, {kAtCwd, kPath, kOther, AT_SYMLINK_NOFOLLOW}), Kind::kStat,
       Links::kDoNotFollow},
      {Data(SYS_statx, {kAtCwd, kPath, AT_STATX_DONT_SYNC, STATX_ALL, kOther}), Kind::kStatx,
       Links::kFollow},
  };
  for (const Row& row : rows) {
    const auto call = DecodeCall(row.data);
    ASSERT_TRUE(call) << row.data.nr;
    EXPECT_EQ(call->kind, row.kind);
    EXPECT_EQ(call->path, kPath);
    EXPECT_EQ(call->other, kOther);
    EXPECT_EQ(call->links, row.links);
  }
}

TEST(DecodeCall, KnowsAccessUnlinkAndReadlink) {
  struct Row {
    seccomp_data data;
    Kind kind;
    mode_t mode;
  };
  const Row rows[] = {
      {Data(SYS_access, {kPath, W_OK}), Kind::kAccess, W_OK},
      {Data(SYS_faccessat, {kAtCwd, kPath, R_OK, 0xdead}), Kind::kAccess, R_OK},
      {Data(SYS_faccessat2, {kAtCwd, kPath, R_OK, AT_EACCESS}), Kind::kAccess, R_OK},
      {Data(SYS_unlink, {kPath}), Kind::kUnlink, 0},
      {Data(SYS_unlinkat, {kAtCwd, kPath, 0}), Kind::kUnlink, 0},
      {Data(SYS_readlink, {kPath, kOther, 100}), Kind::kReadlink, 0},
      {Data(SYS_readlinkat, {kAtCwd, kPath, kOther, 100}), Kind::kReadlink, 0},
  };
  for (const Row& row : rows) {
    const auto call = DecodeCall(row.data);
    ASSERT_TRUE(call) << row.data.nr;
    EXPECT_EQ(call->kind, row.kind);
    EXPECT_EQ(call->path, kPath);
    EXPECT_EQ(call->mode, row.mode);
  }
}

TEST(DecodeCall, LeavesWhatItDoesNotUnderstandToTheKernel) {
  const seccomp_data rows[] = {
      Data(SYS_openat, {kAtCwd, kPath, O_RDONLY | O_DIRECTORY, 0}),
      Data(SYS_unlinkat, {kAtCwd, kPath, AT_REMOVEDIR}),
      Data(SYS_newfstatat, {7, kPath, kOther, AT_EMPTY_PATH}),
      Data(SYS_statx, {kAtCwd, kPath, 1U << 30, STATX_ALL, kOther}),
      Data(SYS_access, {kPath, 64}),
      Data(SYS_faccessat2, {kAtCwd, kPath, R_OK, AT_EMPTY_PATH}),
      Data(SYS_openat2, {kAtCwd, kPath, kOther, 8}),
      Data(SYS_openat2, {kAtCwd, kPath, kOther, 4096}),
      Data(SYS_read, {0, kPath, 1}),
  };
  for (const seccomp_data& data : rows) {
    EXPECT_FALSE(DecodeCall(data)) << data.nr;
  }
  seccomp_data foreign = Data(SYS_openat, {kAtCwd, kPath, O_RDONLY});
  foreign.arch = AUDIT_ARCH_I386;
  EXPECT_FALSE(DecodeCall(foreign));
}

TEST(DecodeCall, TakesOpenat2WhereTheBrokerCanKeepItsPromise) {
  const auto call = DecodeCall(Data(SYS_openat2, {kAtCwd, kPath, kOther, sizeof(open_how)}));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->kind, Kind::kOpenHow);
  EXPECT_EQ(call->other, kOther);
  const auto open =
      WithHow(*call, {O_RDWR | O_CREAT, 0600, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS});
  ASSERT_TRUE(open);
  EXPECT_EQ(open->kind, Kind::kOpen);
  EXPECT_EQ(open->flags, O_RDWR | O_CREAT);
  EXPECT_EQ(open->mode, 0600U);
  EXPECT_FALSE(WithHow(*call, {O_RDONLY, 0, RESOLVE_BENEATH}));
  EXPECT_FALSE(WithHow(*call, {O_RDONLY, 0, RESOLVE_IN_ROOT}));
  EXPECT_FALSE(WithHow(*call, {std::uint64_t{1} << 40, 0, 0}));
  EXPECT_FALSE(WithHow(*call, {O_CREAT, std::uint64_t{1} << 40, 0}));
}

}  // namespace
}  // namespace openhook::seccomp
