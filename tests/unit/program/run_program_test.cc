// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/program/run_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace openhook {
namespace {

using std::chrono::seconds;

TEST(RunProgram, BringsBackWhatItWrote) {
  const auto run = RunProgram({.words = {"sh", "-c", "cat; echo no >&2; exit 3"}, .input = "in\n"});
  ASSERT_TRUE(run) << run.error().Message();
  EXPECT_EQ(run->status, 3);
  EXPECT_EQ(run->out, "in\n");
  EXPECT_EQ(run->err, "no\n");
}

TEST(RunProgram, GivesNoShellItsWords) {
  const auto run = RunProgram({.words = {"echo", "$(id); x", "*"}});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->out, "$(id); x *\n");
}

TEST(RunProgram, GivesItNoOtherDescriptor) {
  const auto run = RunProgram({.words = {"ls", "/proc/self/fd"}});
  ASSERT_TRUE(run);
  EXPECT_EQ(run->out, "0\n1\n2\n3\n") << "the last is of the directory itself";
}

TEST(RunProgram, SaysThatThereIsNone) {
  const auto run = RunProgram({.words = {"no-such-program"}});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kNotFound);
}

TEST(RunProgram, EndsOneThatDoesNotAnswer) {
  const auto run = RunProgram({.words = {"sleep", "1000"}, .deadline = seconds(1)});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kUnavailable);
}

TEST(RunProgram, EndsOneThatWritesWithoutEnd) {
  const auto run = RunProgram({.words = {"yes"}, .deadline = seconds(60)});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kLimit);
}

// As libvirtd does with its threads and children.
TEST(RunProgram, EndsOneWhoseParentHearsNoSignals) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const auto handler = std::signal(SIGALRM, SIG_IGN);
  const auto run = RunProgram({.words = {"sleep", "1000"}, .deadline = seconds(1)});
  (void)std::signal(SIGALRM, handler);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kUnavailable);
}

TEST(RunProgram, GivesItNothingOfOurEnvironment) {
  ::setenv("OPENHOOK_TEST", "secret", 1);
  const auto run = RunProgram({.words = {"env"}, .environment = {"A=b"}});
  ::unsetenv("OPENHOOK_TEST");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->out, "A=b\n");
}

TEST(RunProgram, RunsNothingThatCouldNotGiveUpItsRights) {
  const auto run = RunProgram({.words = {"true"}, .give_up_rights = [] { return false; }});
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::kNotFound);
}

TEST(RunProgram, LeavesItOurStandardErrorWhereAsked) {
  ::testing::internal::CaptureStderr();
  const auto run =
      RunProgram({.words = {"sh", "-c", "echo out; echo no >&2"}, .complaints = Complaints::kOurs});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "no\n");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->out, "out\n");
  EXPECT_EQ(run->err, "");
}

}  // namespace
}  // namespace openhook
