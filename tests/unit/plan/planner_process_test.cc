// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parent's side: with the real program, and with programs that do what a broken one could.

#include "broker/plan/planner_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/temp_tree.h"

namespace openhook::plan {
namespace {

using ::testing::HasSubstr;
using testing::TempTree;

constexpr const char* kDefinition =
    "<domain type='kvm'><name>vm1</name><devices><disk type='file'><driver type='qcow2'/>"
    "<source file='/vm/a'/><target dev='vda'/></disk></devices></domain>";

Result<domain::Plan> PlanBy(const std::string& program, std::string_view xml,
                            std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  return RunPlanner({.program = program, .deadline = deadline}, xml);
}

class BadPlanner : public ::testing::Test {
 protected:
  // A program that does as the shell script says.
  std::string Script(const std::string& text) const {
    const std::string path = tree_.File("planner", "#!/bin/sh\n" + text + "\n");
    EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
    return path;
  }
  TempTree tree_;
};

TEST(Planner, AnswersWithThePlan) {
  const auto plan = PlanBy(OPENHOOK_PLAN, kDefinition);
  ASSERT_TRUE(plan) << plan.error().Message();
  EXPECT_EQ(plan->name, "vm1");
  ASSERT_EQ(plan->files.size(), 2U);
  EXPECT_EQ(plan->files[1].path, "/vm/a");
  EXPECT_EQ(plan->files[1].below, domain::Below::kUnknown);
}

TEST(Planner, PassesOnWhatIsWrongWithTheDefinition) {
  const auto plan = PlanBy(OPENHOOK_PLAN, "<domain>");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(plan.error().Message(), HasSubstr("line 1"));
}

TEST(Planner, PassesOnWhatBecomesOfRawArguments) {
  const auto plan = RunPlanner(
      {.program = OPENHOOK_PLAN, .command_line = domain::CommandLine::kRead},
      "<domain type='qemu' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>a</name>"
      "<q:commandline><q:arg value='/vm/x'/></q:commandline></domain>");
  ASSERT_TRUE(plan) << plan.error().Message();
  ASSERT_EQ(plan->files.size(), 1U);
  EXPECT_EQ(plan->files[0].access, domain::Access::kRead);
}

TEST(Planner, TenMegabytesOfNestingGetOneError) {
  std::string text;
  while (text.size() < limits::kMaxDomainXml - 8) {
    text += "<a>";
  }
  const auto plan = PlanBy(OPENHOOK_PLAN, text);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kLimit);
}

TEST(Planner, ADefinitionThatKeepsItBusyIsGivenUp) {
  // Each attribute of one element is compared with all others.
  std::string text = "<domain ";
  for (int i = 0; text.size() < limits::kMaxDomainXml - 64; ++i) {
    text += "a" + std::to_string(i) + "='' ";
  }
  const auto plan = PlanBy(OPENHOOK_PLAN, text + "/>", std::chrono::milliseconds(500));
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().Message(), ::testing::AnyOf(HasSubstr("too long"), HasSubstr("line 1")));
}

TEST(Planner, ATextThatIsTooLongIsNotHandedOver) {
  const auto plan = PlanBy("/nonexistent", std::string(limits::kMaxDomainXml + 1, ' '));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kLimit);
}

TEST(Planner, AProgramThatIsNotThereIsNamed) {
  const auto plan = PlanBy("/nonexistent/openhook-plan", kDefinition);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(plan.error().Message(), HasSubstr("/nonexistent/openhook-plan"));
}

TEST_F(BadPlanner, OneThatSleepsIsStoppedAtTheDeadline) {
  const auto begin = std::chrono::steady_clock::now();
  const auto plan = PlanBy(Script("exec sleep 60"), kDefinition, std::chrono::milliseconds(200));
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().Message(), HasSubstr("too long"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(BadPlanner, OneThatEndsItsAnswerAndStaysIsStoppedAtTheDeadline) {
  const auto plan =
      PlanBy(Script("exec sleep 60 >&-"), kDefinition, std::chrono::milliseconds(200));
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().Message(), HasSubstr("too long"));
}

TEST_F(BadPlanner, OneThatDiesIsOneClearError) {
  const auto killed = PlanBy(Script("kill -SEGV $$"), kDefinition);
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().Message(), HasSubstr("ended by signal 11"));
  const auto stopped = PlanBy(Script("kill -SYS $$"), kDefinition);
  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().Message(), HasSubstr("stopped by its sandbox"));
  const auto complaining = PlanBy(Script("echo no sandbox here >&2; exit 3"), kDefinition);
  ASSERT_FALSE(complaining);
  EXPECT_THAT(complaining.error().Message(), HasSubstr("status 3 (no sandbox here)"));
}

TEST_F(BadPlanner, OneThatAnswersRubbishIsNotBelieved) {
  for (const char* text : {"echo rubbish", "true", "head -c 100000 /dev/urandom"}) {
    const auto plan = PlanBy(Script(text), kDefinition);
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().code, ErrorCode::kCorrupt) << text;
  }
}

TEST_F(BadPlanner, OneThatNeverEndsAnsweringIsCutOff) {
  const auto plan = PlanBy(Script("exec cat /dev/zero"), kDefinition);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().Message(), HasSubstr("more than a plan can be"));
}

TEST_F(BadPlanner, NothingOfTheParentGoesAlong) {
  ::setenv("OPENHOOK_TEST_SECRET", "secret", 1);
  constexpr int kInherited = 77;
  ASSERT_EQ(::dup2(STDERR_FILENO, kInherited), kInherited);
  const std::string out = tree_.Path("seen");
  const auto plan = PlanBy(Script("tr '\\0' '\\n' < /proc/$$/environ > " + out +
                                  "\nls /proc/$$/fd >> " + out + "\nls -l /proc/$$/fd/0 >> " + out),
                           kDefinition);
  ::unsetenv("OPENHOOK_TEST_SECRET");
  ::close(kInherited);
  ASSERT_FALSE(plan);
  const std::string seen = testing::ReadFile(out);
  EXPECT_THAT(seen, ::testing::Not(HasSubstr("SECRET")));
  EXPECT_THAT(seen, ::testing::StartsWith("0\n1\n"));
  EXPECT_THAT(seen, ::testing::Not(HasSubstr("77\n")));
  EXPECT_THAT(seen, HasSubstr("memfd:openhook-domain"));
}

}  // namespace
}  // namespace openhook::plan
