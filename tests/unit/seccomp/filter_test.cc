// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The filter, run by a small interpreter of classic BPF as the kernel runs it.

#include "qemu-shim/seccomp/filter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace openhook::seccomp {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t kBroken = 0xdeadbeef;

// The subset of BPF that seccomp(2) admits and libseccomp uses.
std::uint32_t Interpret(const std::vector<sock_filter>& program, const seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    bool jump = false;
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k + sizeof(accumulator) > sizeof(data)) {
          return kBroken;
        }
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k,
                    sizeof(accumulator));
        continue;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        continue;
      case BPF_JMP | BPF_JA:
        at += step.k;
        continue;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump = accumulator == step.k;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump = accumulator >= step.k;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump = accumulator > step.k;
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        return kBroken;
    }
    at += jump ? step.jt : step.jf;
  }
  return kBroken;
}

class FilterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto composed = ComposeFilter();
    ASSERT_TRUE(composed) << composed.error().Message();
    program_ = std::move(*composed);
  }

  std::uint32_t Of(std::uint32_t arch, std::uint32_t number, int argument = 0,
                   std::uint64_t value = 0) {
    seccomp_data data{};
    data.arch = arch;
    data.nr = static_cast<int>(number);
    data.args[argument] = value;
    return Interpret(program_, data);
  }

  std::vector<sock_filter> program_;
};

TEST_F(FilterTest, TrapsTheCallsThatNameAFileAndNoOthers) {
  const std::vector<std::uint32_t> trapped = {
      SYS_open,       SYS_openat,     SYS_openat2,  SYS_creat,    SYS_stat,
      SYS_lstat,      SYS_newfstatat, SYS_statx,    SYS_access,   SYS_faccessat,
      SYS_faccessat2, SYS_unlink,     SYS_unlinkat, SYS_readlink, SYS_readlinkat};
  for (std::uint32_t number = 0; number < 1000; ++number) {
    const bool expected = std::find(trapped.begin(), trapped.end(), number) != trapped.end();
    EXPECT_EQ(Of(AUDIT_ARCH_X86_64, number), expected ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW)
        << number;
  }
}

TEST_F(FilterTest, LeavesFstatAlone) {
  EXPECT_EQ(Of(AUDIT_ARCH_X86_64, SYS_newfstatat, 3, AT_EMPTY_PATH), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Of(AUDIT_ARCH_X86_64, SYS_newfstatat, 3, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW),
            SECCOMP_RET_ALLOW);
  EXPECT_EQ(Of(AUDIT_ARCH_X86_64, SYS_newfstatat, 3, AT_SYMLINK_NOFOLLOW), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(Of(AUDIT_ARCH_X86_64, SYS_statx, 2, AT_EMPTY_PATH), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Of(AUDIT_ARCH_X86_64, SYS_statx, 2, AT_STATX_FORCE_SYNC), SECCOMP_RET_USER_NOTIF);
}

TEST_F(FilterTest, LetsOtherAbisRunNatively) {
  constexpr std::uint32_t kX32Bit = 0x40000000;
  constexpr std::uint32_t kOpenOfI386 = 5;
  EXPECT_EQ(Of(AUDIT_ARCH_I386, kOpenOfI386), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Of(AUDIT_ARCH_I386, SYS_openat), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Of(AUDIT_ARCH_X86_64, kX32Bit | SYS_openat), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Of(AUDIT_ARCH_AARCH64, SYS_openat), SECCOMP_RET_ALLOW);
}

TEST(InstallationErrors, NameTheReasonAndTheRemedy) {
  EXPECT_THAT(InstallationError(ENOSYS).Message(), HasSubstr("no seccomp filters"));
  EXPECT_THAT(InstallationError(EINVAL).Message(), HasSubstr("Linux 5.19"));
  EXPECT_THAT(InstallationError(EBUSY).Message(), HasSubstr("another seccomp listener"));
  for (const int number : {ENOSYS, EINVAL, EBUSY}) {
    EXPECT_THAT(InstallationError(number).Message(), HasSubstr("--mode=preload"));
  }
  EXPECT_THAT(InstallationError(EACCES).Message(), HasSubstr("cannot install"));
}

}  // namespace
}  // namespace openhook::seccomp
