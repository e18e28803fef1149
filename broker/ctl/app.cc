// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/app.h"

#include <CLI/CLI.hpp>
#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/locate.h"
#include "broker/ctl/validators.h"

namespace openhook::ctl {

namespace {

constexpr const char* kFooter =
    "Exit status: 0 done, 1 refused or failed (the reason is on standard error), 2 usage.\n"
    "Example: openhookctl grant /srv/images/vm1.qcow2 --write --chain --format qcow2";

void AddGlobalOptions(CLI::App* app, GlobalOptions* options) {
  app->add_option(
         "--vm", options->vm,
         "UUID of the VM; may be left out when only one broker runs below the run directory")
      ->check(UuidValidator())
      ->type_name("UUID");
  app->add_option("--run-dir", options->run_dir, "Where the brokers have their sockets")
      ->check(AbsolutePathValidator())
      ->type_name("DIRECTORY")
      ->capture_default_str();
  app->add_option("--socket", options->socket, "A control.sock, instead of --vm and --run-dir")
      ->type_name("PATH")
      ->excludes("--vm");
  app->add_flag("--json", options->json, "Machine-readable output (docs/cli.md describes it)");
}

void AddCommands(CLI::App* app, const Invocation& invocation, Action* chosen) {
  AddStatusCommand(app, invocation, chosen);
  AddListCommand(app, invocation, chosen);
  AddGrantCommand(app, invocation, chosen);
  AddRevokeCommand(app, invocation, chosen);
  AddChainCommand(app, invocation, chosen);
  AddPlanCommand(app, invocation, chosen);
  AddAdoptCommand(app, invocation, chosen);
  AddReleaseCommand(app, invocation, chosen);
  AddHostCommand(app, invocation, chosen);
  AddReconcileCommand(app, invocation, chosen);
  AddDoctorCommand(app, invocation, chosen);
  AddJobCommand(app, invocation, chosen);
  AddHoldersCommand(app, invocation, chosen);
  AddExplainCommand(app, invocation, chosen);
  AddWatchCommand(app, invocation, chosen);
}

// The parser's message for an unknown subcommand is that one is required.
int ReportUsage(const CLI::App& app, const CLI::ParseError& problem, const Invocation& invocation) {
  const std::vector<std::string> unknown = app.remaining();
  if (app.get_subcommands().empty() && !unknown.empty() && !unknown.front().starts_with('-')) {
    invocation.err << "there is no subcommand " << Quote(unknown.front())
                   << "\nRun with --help for more information.\n";
    return kExitUsage;
  }
  return app.exit(problem, invocation.out, invocation.err) == 0 ? kExitDone : kExitUsage;
}

int Perform(const Action& action, std::ostream& out, std::ostream& err) {
  const Result<void> done = action();
  if (!done) {
    out.flush();
    err << "openhookctl: " << done.error().Message() << '\n';
    return kExitFailed;
  }
  if (!out.flush()) {
    err << "openhookctl: cannot write the output\n";
    return kExitFailed;
  }
  return kExitDone;
}

}  // namespace

int RunApp(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  Invocation invocation{{}, out, err};
  Action chosen;
  CLI::App app("Shows and changes what the open broker of a VM lets that VM use.", "openhookctl");
  app.set_version_flag("--version", "openhookctl " OPENHOOK_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // "openhookctl list --json" as well as "openhookctl --json list"
  app.footer(kFooter);
  AddGlobalOptions(&app, &invocation.options);
  AddCommands(&app, invocation, &chosen);
  // The parser reports by exceptions; they end here.
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return ReportUsage(app, problem, invocation);
  }
  return Perform(chosen, out, err);
}

Result<ControlClient> ConnectToBroker(const Invocation& invocation) {
  const Result<std::string> socket_path = LocateControlSocket(invocation.options);
  if (!socket_path) {
    return tl::make_unexpected(socket_path.error());
  }
  return ControlClient::Connect(*socket_path);
}

Result<proto::ControlReply> AskBroker(const Invocation& invocation, proto::ControlRequest request) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  return client->Call(std::move(request));
}

Result<proto::ChangeReply> AskForChange(const Invocation& invocation,
                                        proto::ControlRequest request) {
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  Result<proto::ControlReply> reply = client->Call(std::move(request));
  if (!reply) {
    Error error = std::move(reply).error();
    if (error.code == ErrorCode::kUnavailable) {
      error.context += "; whether the change was made is not known: look with 'openhookctl list'";
    }
    return tl::make_unexpected(std::move(error));
  }
  if (!reply->has_change()) {
    return Fail(ErrorCode::kCorrupt,
                "the broker's answer does not say what was changed: look with 'openhookctl list'");
  }
  return reply->change();
}

}  // namespace openhook::ctl
