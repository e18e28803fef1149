// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-qemu --mode=seccomp as a whole, with a static program behind it (static_probe.cc) and a
// broker that answers as each test wants it.

#ifndef TESTS_UNIT_SECCOMP_NOTIFIER_TEST_H_
#define TESTS_UNIT_SECCOMP_NOTIFIER_TEST_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/fake_open_broker.h"

namespace openhook::seccomp {

inline constexpr const char* kImage = "/srv/vm/disk.qcow2";

std::string Word(int sys_errno);

class NotifierTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void StartBroker(testing_support::FakeOpenBroker::Handler handler);
  // Answers every open with a file that holds its own name.
  void StartEcho();

  // The launcher in front of the probe with `command`, as another user where we are root.
  testing_support::ChildResult Probe(const std::vector<std::string>& command);
  std::future<testing_support::ChildResult> ProbeMeanwhile(std::vector<std::string> command);

  // The living keeper, or notifier, of this test; 0 when there is none, after ten seconds.
  pid_t Keeper() { return Find("openhook-keeper"); }
  pid_t Notifier() { return Find("openhook-notify"); }
  // Whether all of them end within ten seconds.
  bool AllGone();

  std::string directory_;
  std::string socket_;
  std::string probe_;
  std::vector<std::string> options_;
  std::string wait_ms_ = "10000";
  std::unique_ptr<testing_support::FakeOpenBroker> broker_;

 private:
  pid_t Find(const std::string& name);
  std::vector<pid_t> Helpers(const std::string& name);
};

}  // namespace openhook::seccomp

#endif  // TESTS_UNIT_SECCOMP_NOTIFIER_TEST_H_
