// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/seccomp/native_guess.h"

#include <gtest/gtest.h>

namespace openhook::seccomp {
namespace {

TEST(NativeGuess, FollowsTheTableOfSystemPaths) {
  EXPECT_FALSE(KernelWouldRefuse("/usr/bin/env", WantedUse::kRead));
  EXPECT_FALSE(KernelWouldRefuse("/dev/null", WantedUse::kWrite));
  // Root may write there, and Landlock's rules for the program do not let it.
  EXPECT_TRUE(KernelWouldRefuse("/usr/bin/env", WantedUse::kWrite));
}

TEST(NativeGuess, AbsenceIsNoRefusal) {
  EXPECT_FALSE(KernelWouldRefuse("/usr/no/such/file", WantedUse::kRead));
  EXPECT_FALSE(KernelWouldRefuse("/usr/no/such/file", WantedUse::kWrite));
  EXPECT_FALSE(KernelWouldRefuse("/usr/no/such/file", WantedUse::kLink));
}

TEST(NativeGuess, NamesOfTheAskingProcessAreNotLookedAt) {
  EXPECT_FALSE(KernelWouldRefuse("/proc/self/mem", WantedUse::kWrite));
  EXPECT_FALSE(KernelWouldRefuse("/dev/fd/0", WantedUse::kWrite));
}

}  // namespace
}  // namespace openhook::seccomp
