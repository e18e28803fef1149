// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/broker_process.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill(2)

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "broker/base/text.h"
#include "broker/fs/append_file.h"
#include "broker/fs/directory.h"
#include "broker/fs/process.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"
#include "broker/libvirt/child_program.h"
#include "broker/program/run_program.h"

namespace openhook::libvirt {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kPause{5};
constexpr mode_t kPrivate = 0700;
constexpr mode_t kPassable = 0711;
constexpr mode_t kPrivateFile = 0600;
constexpr std::size_t kMaxMachineBytes = 4096;
constexpr std::string_view kKeepsProfile = "--profile=apparmor";
constexpr const char* kSystemctl = "/usr/bin/systemctl";

// sd_booted(3).
bool SystemdRuns() { return fs::FileExists("/run/systemd/system").value_or(false); }

Result<void> Systemctl(const std::string& verb, const std::string& uuid) {
  const auto run = RunProgram({.words = {kSystemctl, verb, "openhookd@" + uuid + ".service"},
                               .complaints = Complaints::kOurs});
  if (!run) {
    return tl::make_unexpected(run.error());
  }
  return run->status == 0 ? Result<void>()
                          : Fail(ErrorCode::kUnavailable,
                                 "systemctl " + verb + " openhookd@" + uuid +
                                     " failed; 'journalctl -u openhookd@" + uuid + "' tells why");
}

template <class Predicate>
bool Await(Predicate&& predicate) {
  const auto until = Clock::now() + kPatience;
  while (!predicate()) {
    if (Clock::now() > until) {
      return false;
    }
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace

std::string BrokerProcess::Socket() const {
  return config_.run_dir + "/" + uuid_ + "/control.sock";
}

std::string BrokerProcess::MachineFile() const {
  return config_.run_dir + "/" + uuid_ + ".machine";
}

std::string BrokerProcess::LogFile() const { return config_.state_dir + "/" + uuid_ + ".log"; }

Result<client::ControlClient> BrokerProcess::Connect() const {
  return client::ControlClient::Connect(Socket(), "openhook-hook");
}

Result<std::vector<std::string>> BrokerProcess::BrokerWords() const {
  return fs::FindProgramBeside("openhookd", OPENHOOK_PROGRAM_DIRECTORY)
      .map([&](const std::string& program) {
        std::vector<std::string> words = {program, "--vm", uuid_, "--libvirt-devices"};
        words.insert(words.end(), config_.arguments.begin(), config_.arguments.end());
        return words;
      });
}

Result<std::vector<std::string>> BrokerProcess::LoaderWords() const {
  const auto& arguments = config_.arguments;
  if (std::find(arguments.begin(), arguments.end(), kKeepsProfile) == arguments.end()) {
    return std::vector<std::string>();
  }
  // The number comes first: a name may have spaces.
  const std::string machine = fs::ReadTextFile(MachineFile(), kMaxMachineBytes).value_or(" ");
  const std::size_t space = std::min(machine.find(' '), machine.size());
  const std::string id = machine.substr(0, space);
  const std::string name = machine.substr(std::min(space + 1, machine.size()));
  return fs::FindProgramBeside("openhook-loader", OPENHOOK_PROGRAM_DIRECTORY)
      .map([&](const std::string& program) {
        std::vector<std::string> words = {program, "--vm",      uuid_,          "--id",
                                          id,      "--run-dir", config_.run_dir};
        if (!name.empty()) {
          words.push_back("--name=" + name);  // a name may begin with dashes
        }
        return words;
      });
}

Result<void> BrokerProcess::RememberMachine(const std::string& name, const std::string& id) const {
  const std::string machine = id + " " + name;
  if (fs::ReadTextFile(MachineFile(), kMaxMachineBytes).value_or("") != machine && Connect()) {
    if (auto stopped = Stop(); !stopped) {
      return stopped;
    }
  }
  return fs::EnsurePrivateDirectory(config_.run_dir, kPassable).and_then([&] {
    return fs::ReplaceTextFile(MachineFile(), machine, kPrivateFile);
  });
}

Result<void> BrokerProcess::Start() const {
  if (SystemdRuns()) {
    return Systemctl("start", uuid_);
  }
  const auto program = fs::FindProgramBeside("openhook-hook", OPENHOOK_PROGRAM_DIRECTORY);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  const auto made = fs::EnsurePrivateDirectory(config_.state_dir, kPrivate);
  const auto log = made ? fs::OpenLog(LogFile()) : tl::make_unexpected(made.error());
  if (!log) {
    return tl::make_unexpected(log.error());
  }
  return StartAlone({*program, "--run", uuid_}, *log);
}

Result<client::ControlClient> BrokerProcess::Ensure() const {
  if (auto running = Connect()) {
    return running;
  }
  if (auto started = Start(); !started) {
    return tl::make_unexpected(started.error());
  }
  Result<client::ControlClient> client = Connect();
  const bool ready = Await([&] {
    if (!client) {
      client = Connect();
    }
    return client.has_value();
  });
  if (!ready) {
    return Fail(ErrorCode::kUnavailable,
                "the broker of the machine does not start; its log is " +
                    (SystemdRuns() ? "'journalctl -u openhookd@" + uuid_ + "'" : Quote(LogFile())) +
                    " (" + client.error().Message() + ")");
  }
  return client;
}

Result<void> BrokerProcess::Stop() const {
  if (auto forgotten = fs::RemoveFile(MachineFile()); !forgotten) {
    return forgotten;
  }
  if (SystemdRuns()) {
    return Systemctl("stop", uuid_);
  }
  auto running = Connect();
  if (!running) {
    return {};
  }
  proto::ControlRequest request;
  request.mutable_status();
  const auto reply = running->Call(std::move(request));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  const pid_t pid = reply->status().pid();
  const auto started = fs::StartTicksOf(pid);
  if (!started) {
    return {};
  }
  ::kill(pid, SIGTERM);
  const bool ended = Await([&] { return fs::StartTicksOf(pid) != started; });
  return ended ? Result<void>()
               : Fail(ErrorCode::kUnavailable,
                      "the broker of the machine, pid " + std::to_string(pid) + ", does not end");
}

}  // namespace openhook::libvirt
