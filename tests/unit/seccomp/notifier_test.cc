// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/unit/seccomp/notifier_test.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace openhook::seccomp {

using namespace std::chrono_literals;
using testing_support::ChildResult;
using testing_support::FakeOpenBroker;

namespace {

// Nothing of a process that goes away while it is looked at: an iterator over the file would throw.
std::string Content(const std::filesystem::path& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

template <class Condition>
bool Within10Seconds(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

}  // namespace

std::string Word(int sys_errno) { return "errno " + std::to_string(sys_errno) + "\n"; }

void NotifierTest::SetUp() {
  char name[] = "/tmp/openhook-notifier-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  directory_ = name;
  ASSERT_EQ(::chmod(name, 0755), 0);
  socket_ = directory_ + "/open.sock";
  // The build tree may lie where another user cannot look.
  probe_ = directory_ + "/probe";
  std::filesystem::copy_file(STATIC_PROBE, probe_);
}

void NotifierTest::TearDown() {
  broker_.reset();
  EXPECT_TRUE(AllGone()) << "the keeper or the notifier outlives its program";
  std::filesystem::remove_all(directory_);
}

void NotifierTest::StartBroker(FakeOpenBroker::Handler handler) {
  broker_ = std::make_unique<FakeOpenBroker>(socket_, std::move(handler));
}

void NotifierTest::StartEcho() {
  StartBroker(
      [](const proto::Request& request) { return testing_support::Ok(request.open().path()); });
}

ChildResult NotifierTest::Probe(const std::vector<std::string>& command) {
  std::vector<std::string> words = {LAUNCHER, "--mode=seccomp", "--socket", socket_};
  if (::geteuid() == 0) {
    words.insert(words.end(), {"--user", "65534:65534"});
  }
  words.insert(words.end(), options_.begin(), options_.end());
  words.insert(words.end(), {"--", probe_});
  words.insert(words.end(), command.begin(), command.end());
  return testing_support::RunChild(words, {"PATH=/usr/bin", "OPENHOOK_WAIT_MS=" + wait_ms_});
}

std::future<ChildResult> NotifierTest::ProbeMeanwhile(std::vector<std::string> command) {
  return std::async(std::launch::async,
                    [this, command = std::move(command)] { return Probe(command); });
}

std::vector<pid_t> NotifierTest::Helpers(const std::string& name) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    // A zombie has no command line any more: not every init reaps.
    if (pid > 0 && Content(entry.path() / "cmdline").find(socket_ + '\0') != std::string::npos &&
        Content(entry.path() / "comm") == name + "\n") {
      found.push_back(pid);
    }
  }
  return found;
}

pid_t NotifierTest::Find(const std::string& name) {
  std::vector<pid_t> found;
  Within10Seconds([&] { return !(found = Helpers(name)).empty(); });
  return found.empty() ? 0 : found.front();
}

bool NotifierTest::AllGone() {
  return Within10Seconds(
      [&] { return Helpers("openhook-keeper").empty() && Helpers("openhook-notify").empty(); });
}

}  // namespace openhook::seccomp
