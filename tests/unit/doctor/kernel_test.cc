// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include "policy/profile/landlock.h"
#include "tests/unit/doctor/findings_text.h"

namespace openhook::doctor {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(KernelChecks, SayWhatThisKernelHas) {
  utsname names{};
  ASSERT_EQ(::uname(&names), 0);
  const auto lines = Lines(CheckKernel());
  EXPECT_THAT(lines, Contains(HasSubstr(std::string("Linux ") + names.release)));
  const int abi = landlock::LandlockAbi();
  EXPECT_THAT(lines, Contains(HasSubstr(abi > 0 ? "Landlock ABI " + std::to_string(abi)
                                                : std::string("no Landlock"))));
  EXPECT_TRUE(EveryProblemHasARemedy(CheckKernel()));
}

}  // namespace
}  // namespace openhook::doctor
