// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The subcommands of openhookctl, one source file each (cmd_*.cc). Add...() registers the
// subcommand's options with the parser and, when it is the one that was chosen, stores what it
// does in `chosen`. `invocation` is read when that runs, after parsing.

#ifndef BROKER_CTL_COMMANDS_H_
#define BROKER_CTL_COMMANDS_H_

#include <CLI/CLI.hpp>

#include "broker/client/control_client.h"
#include "broker/ctl/invocation.h"

namespace openhook::ctl {

void AddStatusCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddListCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddGrantCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddRevokeCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddChainCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddPlanCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddAdoptCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddDoctorCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddReconcileCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddHostCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddReleaseCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddJobCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddHoldersCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
// The subcommands of chain that ask a broker: list, check, accept.
void AddChainRecordCommands(CLI::App* chain, const Invocation& invocation, Action* chosen);
void AddExplainCommand(CLI::App* app, const Invocation& invocation, Action* chosen);
void AddWatchCommand(CLI::App* app, const Invocation& invocation, Action* chosen);

using client::ControlClient;

// The greeted connection to the broker that the global options name.
Result<ControlClient> ConnectToBroker(const Invocation& invocation);

// Locates, connects, asks once. For the subcommands that need no more than that.
Result<proto::ControlReply> AskBroker(const Invocation& invocation, proto::ControlRequest request);

// The same for a request that changes the whitelist: when the answer got lost, the error says that
// the change may have been made.
Result<proto::ChangeReply> AskForChange(const Invocation& invocation,
                                        proto::ControlRequest request);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_COMMANDS_H_
