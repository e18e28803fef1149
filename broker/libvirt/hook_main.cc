// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-hook: libvirt's hook for machines under openhook (/etc/libvirt/hooks/qemu.d/). It never
// asks libvirt anything, since libvirt waits for it; and prints nothing to standard output, which
// libvirt takes for a definition in some phases. A machine that is not adopted is none of its
// business.

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/fs/program_file.h"
#include "broker/fs/text_file.h"
#include "broker/libvirt/broker_process.h"
#include "broker/libvirt/child_program.h"
#include "broker/libvirt/domain_config.h"
#include "broker/libvirt/hook_call.h"
#include "broker/program/run_program.h"

namespace openhook::libvirt {
namespace {

constexpr int kDone = 0;
constexpr int kRefused = 1;

int Complain(const Error& error) {
  (void)std::fprintf(stderr, "openhook-hook: %s\n", error.Message().c_str());
  return kRefused;
}

// What the last run of the machine left, if its end was missed.
Result<void> EndMachine(client::ControlClient* client) {
  proto::ControlRequest request;
  request.mutable_announcement()->set_kind(proto::ANNOUNCEMENT_KIND_ENDED);
  return client->Call(std::move(request)).map([](const proto::ControlReply&) {});
}

// By the subcommand that `words` are, which reads the definition.
Result<void> RunCtl(const BrokerProcess& broker, const std::string& uuid,
                    const std::vector<std::string>& words, const std::string& definition) {
  const auto program = fs::FindProgramBeside("openhookctl", OPENHOOK_PROGRAM_DIRECTORY);
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  std::vector<std::string> command = {*program, "--run-dir", broker.run_dir(), "--vm", uuid};
  command.insert(command.end(), words.begin(), words.end());
  // What it prints to standard output libvirt might take for a definition.
  const auto run =
      RunProgram({.words = command, .input = definition, .complaints = Complaints::kOurs});
  if (!run) {
    return tl::make_unexpected(run.error());
  }
  return run->status == 0 ? Result<void>()
                          : Fail(ErrorCode::kPermission,
                                 "the machine does not get what its definition asks for");
}

Result<void> Start(const BrokerProcess& broker, const std::string& name, const std::string& uuid,
                   const std::string& definition) {
  const auto remembered = broker.RememberMachine(name, IdOf(definition));
  auto client = remembered ? broker.Ensure() : tl::make_unexpected(remembered.error());
  if (!client) {
    return tl::make_unexpected(client.error());
  }
  return EndMachine(&*client).and_then(
      [&] { return RunCtl(broker, uuid, {"plan", "-", "--apply"}, definition); });
}

// What was announced while libvirtd or the broker was away is in the live definition, or gone from
// it.
Result<void> Reconnect(const BrokerProcess& broker, const std::string& uuid,
                       const std::string& definition) {
  const auto client = broker.Ensure();
  return client ? RunCtl(broker, uuid, {"reconcile", "--definition", "-"}, definition)
                : tl::make_unexpected(client.error());
}

Result<void> Release(const BrokerProcess& broker) {
  auto client = broker.Ensure();
  if (!client) {
    return tl::make_unexpected(client.error());
  }
  const auto ended = EndMachine(&*client);
  const auto stopped = broker.Stop();
  return ended ? stopped : ended;
}

Result<void> Follow(Phase phase, const std::string& name, const std::string& uuid,
                    const std::string& definition) {
  auto config = ReadDomainConfig(kDomainsDirectory, uuid);
  if (!config) {
    return tl::make_unexpected(config.error());
  }
  if (!*config) {
    return {};
  }
  const BrokerProcess broker(uuid, std::move(**config));
  switch (phase) {
    case Phase::kStart:
      return Start(broker, name, uuid, definition);
    case Phase::kReconnect:
      return Reconnect(broker, uuid, definition);
    default:
      return Release(broker);
  }
}

// openhook-hook --run UUID: stays with the broker of an adopted machine, for a supervisor.
Result<int> RunBroker(const std::string& uuid) {
  auto config = ReadDomainConfig(kDomainsDirectory, uuid);
  if (!config) {
    return tl::make_unexpected(config.error());
  }
  if (!*config) {
    return Fail(ErrorCode::kNotFound, "the machine is not adopted: there is no " +
                                          Quote(DomainConfigPath(kDomainsDirectory, uuid)));
  }
  const BrokerProcess broker(uuid, std::move(**config));
  const auto words = broker.BrokerWords();
  const auto loader = broker.LoaderWords();
  if (!words || !loader) {
    return tl::make_unexpected(words ? loader.error() : words.error());
  }
  return Supervise(*words, *loader);
}

// libvirt kills a running machine whose hook fails at reconnect.
int Run(const std::vector<std::string>& arguments) {
  if (arguments.size() == 2 && arguments[0] == "--run") {
    const auto status = RunBroker(arguments[1]);
    return status ? *status : Complain(status.error());
  }
  const Phase phase = PhaseOf(arguments);
  if (phase == Phase::kOther) {
    return kDone;
  }
  const auto definition = fs::ReadStandardInput(limits::kMaxDomainXml);
  const std::string uuid = definition ? UuidOf(*definition) : "";
  const auto followed = uuid.empty()
                            ? Fail(ErrorCode::kInvalidArgument, "libvirt handed over no definition")
                            : Follow(phase, arguments[0], uuid, *definition);
  if (followed) {
    return kDone;
  }
  const int refused = Complain(followed.error());
  return phase == Phase::kStart ? refused : kDone;
}

}  // namespace
}  // namespace openhook::libvirt

int main(int argc, char** argv) {
  try {
    return openhook::libvirt::Run({argv + 1, argv + argc});
  } catch (const std::exception& exception) {
    (void)std::fprintf(stderr, "openhook-hook: %s\n", exception.what());
    return 1;
  }
}
