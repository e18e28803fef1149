// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookd: reads top to bottom as it starts. Options, directories, the whitelist, privileges,
// sockets, then the loop until SIGTERM or SIGINT.

#include <google/protobuf/stubs/logging.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <optional>

#include "broker/audit/journal.h"
#include "broker/audit/json_lines.h"
#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/fs/proc_fd.h"
#include "broker/fs/resolve.h"
#include "broker/sandbox/sanitized.h"
#include "broker/server/broker.h"
#include "broker/server/control_handler.h"
#include "broker/server/descriptor_limit.h"
#include "broker/server/feed.h"
#include "broker/server/given_devices.h"
#include "broker/server/header_check.h"
#include "broker/server/let_go_timer.h"
#include "broker/server/listener.h"
#include "broker/server/open_handler.h"
#include "broker/server/options.h"
#include "broker/server/privileges.h"
#include "broker/server/profile_keeper.h"
#include "broker/server/syscall_filter.h"
#include "broker/worker/job_wire.h"
#include "broker/worker/pool.h"
#include "policy/label/choose.h"
#include "policy/label/detect.h"
#include "policy/profile/landlock.h"

namespace openhook::server {
namespace {

namespace asio = boost::asio;

constexpr mode_t kPrivate = 0700;
constexpr mode_t kPassable = 0711;  // QEMU's user has to reach its socket

Result<void> PrepareDirectories(const Options& options) {
  for (const auto& made :
       {fs::PrepareProcFd(), fs::EnsurePrivateDirectory(options.state_dir, kPrivate),
        fs::EnsurePrivateDirectory(options.run_dir, kPassable),
        fs::EnsurePrivateDirectory(options.VmRunDir(), kPassable)}) {
    if (!made) {
      return made;
    }
  }
  return {};
}

// The sanitizers' run times make system calls of their own.
Result<void> Confine() {
  auto confined = DropPrivileges();
  return sandbox::kSanitized ? confined : confined.and_then(FilterSystemCalls);
}

worker::Program WorkerProgram() {
  return {[] { return Confine().has_value(); }, worker::PerformEncoded};
}

Result<std::unique_ptr<Broker>> StartBroker(const Options& options, worker::Pool* workers) {
  std::vector<std::unique_ptr<audit::Sink>> sinks;
  auto json = audit::MakeJsonLinesSink(options.AuditPath());
  if (!json) {
    return tl::make_unexpected(json.error());
  }
  sinks.push_back(std::move(*json));
  sinks.push_back(audit::MakeJournalSink(options.vm));
  return Broker::Start(options, std::move(sinks), workers);
}

struct Sockets {
  std::unique_ptr<Listener> open;
  std::unique_ptr<Listener> control;
};

Result<void> StartOpenSocket(asio::io_context& loop, Broker* broker, Sockets* sockets) {
  const Options& options = broker->options();
  auto listener =
      Listener::Start(loop,
                      {options.OpenSocket(), S_IRUSR | S_IWUSR, options.vm_uid, options.vm_gid,
                       limits::kMaxOpenSessions, limits::kMaxOpenPacket},
                      [broker](const Result<Peer>& peer, const PushPacket&) {
                        return MakeOpenHandler(broker, peer);
                      });
  if (!listener) {
    return tl::make_unexpected(listener.error());
  }
  sockets->open = std::move(*listener);
  return {};
}

void FillProfile(const ProfileKeeper* keeper, proto::StatusReply* status) {
  if (keeper != nullptr) {
    const ProfileKeeper::State state = keeper->state();
    status->set_profile(state.profile);
    status->set_profile_in_step(state.in_step);
    status->set_profile_rules(state.rules);
    status->set_profile_revision(state.revision);
    status->set_profile_fault(state.fault);
  }
}

Result<void> StartControlSocket(asio::io_context& loop, Broker* broker, const ProfileKeeper* keeper,
                                Sockets* sockets) {
  const Options& options = broker->options();
  const FillStatus fill_status = [broker, keeper, sockets,
                                  started = ::time(nullptr)](proto::StatusReply* status) {
    status->set_started_unix(started);
    status->set_open_sessions(sockets->open->sessions());
    status->set_openat2(fs::MethodInUse() == fs::ResolveMethod::kOpenat2 ? "openat2"
                                                                         : "component walk");
    status->set_landlock_abi(landlock::LandlockAbi());
    FillProfile(keeper, status);
    const worker::Counts workers = broker->jobs().pool()->counts();
    status->set_io_deadline(static_cast<std::uint32_t>(broker->options().io_deadline.count()));
    status->set_workers_busy(static_cast<std::uint32_t>(workers.busy));
    status->set_workers_stuck(static_cast<std::uint32_t>(workers.stuck));
    status->set_requests_waiting(static_cast<std::uint32_t>(workers.waiting));
  };
  auto listener =
      Listener::Start(loop,
                      {options.ControlSocket(), S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP, ::geteuid(),
                       options.control_group.value_or(::getegid()), limits::kMaxControlSessions,
                       limits::kMaxControlPacket},
                      [broker, fill_status](const Result<Peer>& peer, PushPacket push) {
                        return MakeControlHandler(broker, peer, std::move(push), fill_status);
                      });
  if (!listener) {
    return tl::make_unexpected(listener.error());
  }
  sockets->control = std::move(*listener);
  return {};
}

Result<void> Serve(const Options& options) {
  if (auto prepared = PrepareDirectories(options); !prepared) {
    return prepared;
  }
  auto labels = label::Choose(options.label, label::ReadKernelFacts());
  if (!labels) {
    return tl::make_unexpected(labels.error());
  }
  RaiseDescriptorLimit();
  // Ends last: the sessions, which the loop holds, refer to it until they are gone.
  std::unique_ptr<Broker> broker;
  asio::io_context loop(1);
  worker::Pool workers(loop, WorkerProgram(), options.io_deadline);
  auto started_broker = StartBroker(options, &workers);
  if (!started_broker) {
    return tl::make_unexpected(started_broker.error());
  }
  broker = std::move(*started_broker);
  broker->CheckLabels(std::move(*labels));
  loop.restart();
  std::unique_ptr<ProfileKeeper> keeper;
  if (options.profile == Options::Profile::kAppArmor) {
    keeper = std::make_unique<ProfileKeeper>(loop, broker.get());
  }
  Sockets sockets;
  for (const auto& started : {StartOpenSocket(loop, broker.get(), &sockets),
                              StartControlSocket(loop, broker.get(), keeper.get(), &sockets)}) {
    if (!started) {
      return started;
    }
  }
  broker->AskForInFlight([&sockets] { return sockets.open->FilesInFlight(); });
  const LetGoTimer let_go(loop, broker.get());
  // After the sockets: giving open.sock to the VM's user needs CAP_CHOWN. Nobody is served before
  // the loop runs.
  if (auto confined = Confine(); !confined) {
    return confined;
  }
  const HeaderCheck headers(broker.get());
  Feed feed(loop, broker.get());
  std::optional<GivenDevices> devices;
  if (options.devices == Options::Devices::kLibvirts) {
    devices.emplace(loop, broker.get());
  }
  asio::signal_set signals(loop, SIGTERM, SIGINT);
  signals.async_wait([&loop](const boost::system::error_code&, int) { loop.stop(); });
  // Whoever waits for us starts the VM next, for which its profile has to be there.
  const auto ready = [] { ::sd_notify(0, "READY=1"); };
  keeper ? keeper->Start(ready) : ready();
  loop.run();
  ::sd_notify(0, "STOPPING=1");
  return {};
}

// "<3>" is sd-daemon(3)'s level for an error.
int Complain(const char* what) {
  (void)std::fprintf(stderr, "<3>openhookd: %s\n", what);
  return 1;
}

int Run(int argc, const char* const* argv) {
  // The parser would write a line to stderr for each malformed text of a peer.
  google::protobuf::SetLogHandler(nullptr);
  const auto options = ParseOptions(argc, argv);
  if (!options) {
    const EarlyExit& exit = options.error();
    (void)std::fputs(exit.text.c_str(), exit.status == 0 ? stdout : stderr);
    return exit.status;
  }
  ::umask(S_IRWXG | S_IRWXO);
  const auto served = Serve(*options);
  return served ? 0 : Complain(served.error().Message().c_str());
}

}  // namespace
}  // namespace openhook::server

// Nothing of ours throws; what the libraries may throw (no memory, no descriptor for the loop) ends
// the process with a sentence. The whitelist is on disk.
int main(int argc, char** argv) {
  try {
    return openhook::server::Run(argc, argv);
  } catch (const std::exception& exception) {
    return openhook::server::Complain(exception.what());
  }
}
