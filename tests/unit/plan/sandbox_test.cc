// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sandbox from the inside, by a program that enters it and then misbehaves; and from the
// outside, by what the kernel says of a planning process that waits for its input.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "tests/support/child_process.h"
#include "tests/support/temp_tree.h"

namespace openhook::plan {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using testing_support::RunChild;

constexpr int kStoppedBySandbox = 128 + SIGSYS;

std::vector<std::string> Attempts() {
  std::istringstream names(RunChild({OPENHOOK_SANDBOX_PROBE, "--list"}, {}).out);
  std::vector<std::string> attempts;
  for (std::string name; std::getline(names, name);) {
    attempts.push_back(name);
  }
  return attempts;
}

// How many seccomp filters a process has, from its status.
int Filters(const std::string& status) {
  constexpr std::string_view kField = "Seccomp_filters:\t";
  const std::size_t at = status.find(kField);
  return at == std::string::npos ? 0 : std::stoi(status.substr(at + kField.size()));
}

TEST(Sandbox, StopsEverythingThatReachesOutOfTheProcess) {
  const auto attempts = Attempts();
  ASSERT_GT(attempts.size(), 30U);
  for (const std::string& attempt : attempts) {
    const auto run = RunChild({OPENHOOK_SANDBOX_PROBE, attempt}, {});
    EXPECT_EQ(run.status, kStoppedBySandbox) << attempt << ": " << run.err;
  }
}

TEST(Sandbox, TheAttemptsWorkOutside) {
  const bool filtered = Filters(testing::ReadFile("/proc/self/status")) > 0;
  for (const std::string& attempt : Attempts()) {
    if (attempt == "other-abi" && filtered) {
      continue;  // the filter of tests/enosys stops it by itself
    }
    const auto run = RunChild({OPENHOOK_SANDBOX_PROBE, attempt, "outside"}, {});
    EXPECT_EQ(run.status, 0) << attempt << ": " << run.err;
  }
}

TEST(Sandbox, LeavesMemoryAndInput) {
  for (const char* attempt : {"memory", "read-input"}) {
    EXPECT_EQ(RunChild({OPENHOOK_SANDBOX_PROBE, attempt}, {}).status, 0) << attempt;
  }
}

// openhook-plan, waiting for a definition that does not come.
class WaitingPlanner {
 public:
  WaitingPlanner() {
    std::array<int, 2> input{};
    EXPECT_EQ(::pipe(input.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(input[0], STDIN_FILENO);
      ::close_range(STDERR_FILENO + 1, ~0U, 0);
      ::execl(OPENHOOK_PLAN, "openhook-plan", nullptr);
      ::_exit(127);
    }
    ::close(input[0]);
    write_end_ = input[1];
  }
  ~WaitingPlanner() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(write_end_);
  }
  std::string Proc(const std::string& name) const {
    return "/proc/" + std::to_string(pid_) + "/" + name;
  }
  // Its status, once the filter is there: the last layer. It may inherit others (tests/enosys).
  std::string Status() const {
    const int inherited = Filters(testing::ReadFile("/proc/self/status"));
    for (int i = 0; i < 500; ++i) {
      std::string status = testing::ReadFile(Proc("status"));
      if (Filters(status) > inherited) {
        return status;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return testing::ReadFile(Proc("status"));
  }

 private:
  pid_t pid_ = -1;
  int write_end_ = -1;
};

TEST(Sandbox, IsEnteredBeforeTheFirstByteIsRead) {
  const WaitingPlanner planner;
  const std::string status = planner.Status();
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_THAT(status, HasSubstr(std::string(set) + ":\t0000000000000000\n"));
  }
  if (::geteuid() == 0) {
    EXPECT_THAT(status, HasSubstr("Uid:\t65534\t65534\t65534\t65534\n"));
    EXPECT_THAT(status, HasSubstr("Gid:\t65534\t65534\t65534\t65534\n"));
    EXPECT_THAT(status, ContainsRegex("Groups:[ \t]*\n"));
  }
}

TEST(Sandbox, LimitsWhatTheProcessCanUse) {
  const WaitingPlanner planner;
  planner.Status();
  const std::string limits = testing::ReadFile(planner.Proc("limits"));
  EXPECT_THAT(limits, ContainsRegex("Max open files +0 +0 "));
  EXPECT_THAT(limits, ContainsRegex("Max processes +0 +0 "));
  EXPECT_THAT(limits, ContainsRegex("Max file size +0 +0 "));
  EXPECT_THAT(limits, ContainsRegex("Max core file size +0 +0 "));
  EXPECT_THAT(limits, ContainsRegex("Max cpu time +15 +15 "));
}

TEST(Sandbox, KeepsThreeDescriptorsOnly) {
  const WaitingPlanner planner;
  planner.Status();
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(planner.Proc("fd"))) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("0", "1", "2"));
}

}  // namespace
}  // namespace openhook::plan
