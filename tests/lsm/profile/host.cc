// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/lsm/profile/host.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "policy/label/apparmor_query.h"

namespace openhook::lsm {

namespace {

constexpr int kStartMilliseconds = 15'000;

pid_t Spawn(std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  return pid;
}

void End(pid_t* pid, int signal) {
  if (*pid > 0) {
    ::kill(*pid, signal);
    ::waitpid(*pid, nullptr, 0);
    *pid = -1;
  }
}

}  // namespace

Host::Host() {
  for (const char* directory : {"/run/openhook", "/var/lib/openhook", "/etc/apparmor.d/libvirt"}) {
    std::filesystem::create_directories(directory);
  }
  for (const char* profile : {"openhookd", "openhook-loader"}) {
    if (Parse(std::string("-r /etc/apparmor.d/") + profile, "") != 0) {
      throw std::runtime_error(std::string("the profile does not load: ") + profile);
    }
  }
  std::filesystem::remove_all(std::string("/var/lib/openhook/") + kVm + ".db");
  files_ = "/var/lib/libvirt/images/lab";
  std::filesystem::remove_all(files_);
  std::filesystem::create_directories(files_);
  StartLoader();
  StartBroker();
  if (!AwaitInStep()) {
    const std::string fault = Status().profile_fault();
    KillBroker();
    KillLoader();
    throw std::runtime_error("the profile does not come in step: " + fault);
  }
}

Host::~Host() {
  End(&broker_, SIGTERM);
  End(&loader_, SIGTERM);
}

void Host::StartLoader(const std::vector<std::string>& more_words) {
  std::vector<std::string> words{"/usr/sbin/openhook-loader", "--vm", kVm, "--name", "lab"};
  words.insert(words.end(), more_words.begin(), more_words.end());
  loader_ = Spawn(std::move(words));
}

void Host::StartBroker(const std::vector<std::string>& more_words) {
  std::vector<std::string> words{"/usr/sbin/openhookd",  "--vm",      kVm,       "--vm-user",
                                 std::to_string(kVmUid), "--profile", "apparmor"};
  words.insert(words.end(), more_words.begin(), more_words.end());
  broker_ = Spawn(std::move(words));
}

void Host::KillLoader() { End(&loader_, SIGKILL); }
void Host::KillBroker() { End(&broker_, SIGKILL); }

bool Host::AwaitInStep() const {
  return Within(kStartMilliseconds, [this] { return Status().profile_in_step(); });
}

std::string Host::File(const std::string& name) const {
  std::ofstream(files_ + "/" + name) << "content";
  return files_ + "/" + name;
}

proto::ControlReply Host::Ask(const proto::ControlRequest& request) const {
  return testing_support::AskControl(ControlSocket(), request);
}

proto::StatusReply Host::Status() const {
  proto::ControlRequest request;
  request.set_id(1);
  request.mutable_status();
  return Ask(request).status();
}

std::string Host::Events() const {
  proto::ControlRequest request;
  request.set_id(1);
  request.mutable_watch()->set_last(100);
  std::string text;
  const proto::ControlReply reply = Ask(request);
  for (const proto::Event& event : reply.watch().events()) {
    text += event.operation() + " " + event.reason() + "\n";
  }
  return text;
}

proto::ControlRequest GrantRequest(const std::vector<std::string>& paths, proto::GrantAccess access,
                                   const std::string& lease) {
  proto::ControlRequest request;
  request.set_id(1);
  request.mutable_grant()->set_lease(lease);
  for (const std::string& path : paths) {
    auto* grant = request.mutable_grant()->add_grants();
    grant->set_path(path);
    grant->set_access(access);
  }
  return request;
}

proto::ControlRequest RevokeRequest(const std::string& path, const std::string& lease) {
  proto::ControlRequest request;
  request.set_id(1);
  request.mutable_revoke()->set_lease(lease);
  request.mutable_revoke()->add_paths(path);
  return request;
}

std::string KernelAllows(const std::string& path) {
  using label::FileUse;
  const auto allowed =
      label::AllowedByAppArmor(kProfile, path, {FileUse::kRead, FileUse::kWrite, FileUse::kLock});
  return allowed ? allowed->Text() : "not loaded";
}

std::uint64_t KernelRevision() {
  std::uint64_t revision = 0;
  std::ifstream("/sys/kernel/security/apparmor/revision") >> revision;
  return revision;
}

int Parse(const std::string& options, const std::string& text) {
  FILE* parser = ::popen(("/sbin/apparmor_parser -q -K " + options).c_str(), "w");
  (void)std::fputs(text.c_str(), parser);
  return ::pclose(parser);
}

bool Within(int milliseconds, const std::function<bool()>& true_now) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (!true_now()) {
    if (std::chrono::steady_clock::now() > until) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace openhook::lsm
