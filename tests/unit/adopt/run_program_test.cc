// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/run_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::adopt {
namespace {

using std::chrono::seconds;

TEST(RunProgram, BringsBackWhatItWrote) {
  const auto run = RunProgram({"sh", "-c", "cat; echo no >&2; exit 3"}, "in\n", seconds(10));
  ASSERT_TRUE(run) << run.error().Message();
  EXPECT_EQ(run->status, 3);
  EXPECT_EQ(run->out, "in\n");
  EXPECT_EQ(run->err, "no\n");
}

TEST(RunProgram, GivesNoShellItsWords) {
  const auto run = RunProgram({"echo", "$(id); x", "*"}, "", seconds(10));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->out, "$(id); x *\n");
}

TEST(RunProgram, GivesItNoOtherDescriptor) {
  const auto run = RunProgram({"ls", "/proc/self/fd"}, "", seconds(10));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->out, "0\n1\n2\n3\n") << "the last is of the directory itself";
}

TEST(RunProgram, SaysThatThereIsNone) {
  const auto run = RunProgram({"no-such-program"}, "", seconds(10));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kNotFound);
}

TEST(RunProgram, EndsOneThatDoesNotAnswer) {
  const auto run = RunProgram({"sleep", "1000"}, "", seconds(1));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kUnavailable);
}

TEST(RunProgram, EndsOneThatWritesWithoutEnd) {
  const auto run = RunProgram({"yes"}, "", seconds(60));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace openhook::adopt
