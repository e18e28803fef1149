// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/support/broker_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/support/raw_peer.h"

namespace openhook::testing_support {

namespace {

constexpr auto kReadyTime = std::chrono::seconds(20);

std::string ContentOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

BrokerProcess::BrokerProcess(const std::string& program, const std::vector<std::string>& extra,
                             Labels labels) {
  std::string pattern = (std::filesystem::temp_directory_path() / "openhook-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("cannot make a temporary directory");
  }
  root_ = std::filesystem::canonical(pattern).string();
  files_ = root_ + "/files";
  run_dir_ = root_ + "/run/" + kVm;
  // Other users have to reach the sockets.
  ::chmod(root_.c_str(), 0755);
  for (const char* name : {"/files", "/run", "/state"}) {
    ::mkdir((root_ + name).c_str(), 0755);
  }
  std::vector<std::string> words = {program,        "--vm",           kVm,
                                    "--state-dir",  root_ + "/state", "--run-dir",
                                    root_ + "/run", "--vm-user",      std::to_string(kVmUid)};
  if (labels == Labels::kUnchecked) {
    words.insert(words.end(), {"--peer-label", "unchecked"});
  }
  words.insert(words.end(), extra.begin(), extra.end());
  Start(std::move(words));
  AwaitReady();
}

BrokerProcess::~BrokerProcess() {
  if (IsRunning()) {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void BrokerProcess::Start(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // A file, not a pipe: nobody reads it while the broker runs.
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (root_ + "/log").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int failure =
      ::posix_spawn(&pid_, pointers[0], &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    throw std::runtime_error("cannot start " + words[0]);
  }
}

void BrokerProcess::AwaitReady() const {
  const auto deadline = std::chrono::steady_clock::now() + kReadyTime;
  while (!RawPeer::Connect(ControlSocket())) {
    if (!IsRunning() || std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("openhookd is not ready: " + Log());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string BrokerProcess::WriteFile(const std::string& name, const std::string& content) const {
  const std::string path = files_ + "/" + name;
  std::ofstream(path) << content;
  return path;
}

void BrokerProcess::Grant(const std::string& path, proto::GrantAccess access,
                          const std::vector<std::string>& aliases) const {
  proto::ControlRequest request;
  request.set_id(1);
  request.mutable_grant()->set_lease("test");
  proto::GrantSpec* spec = request.mutable_grant()->add_grants();
  spec->set_path(path);
  spec->set_access(access);
  for (const std::string& alias : aliases) {
    spec->add_aliases(alias);
  }
  const proto::ControlReply reply = AskControl(ControlSocket(), request);
  if (reply.outcome() != proto::OUTCOME_OK) {
    throw std::runtime_error("not granted: " + reply.reason());
  }
}

bool BrokerProcess::IsRunning() const {
  siginfo_t info{};
  return pid_ > 0 &&
         ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

std::size_t BrokerProcess::DescriptorCount() const {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid_) + "/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::size_t BrokerProcess::ResidentKib() const {
  std::istringstream status(ContentOf("/proc/" + std::to_string(pid_) + "/status"));
  std::string word;
  while (status >> word && word != "VmRSS:") {
  }
  std::size_t kib = 0;
  status >> kib;
  return kib;
}

std::string BrokerProcess::Log() const { return ContentOf(root_ + "/log"); }

}  // namespace openhook::testing_support
