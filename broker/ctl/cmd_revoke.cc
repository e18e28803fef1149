// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl revoke: ends a lease, or takes single files out of one lease or of all.

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <ostream>
#include <vector>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"
#include "broker/ctl/validators.h"
#include "broker/ctl/wait_closed.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

struct RevokeOptions {
  std::vector<std::string> paths;
  std::string lease;
  bool wait = false;
  double timeout = 10;
};

proto::ControlRequest MakeRequest(const RevokeOptions& options) {
  proto::ControlRequest request;
  request.mutable_revoke()->set_lease(options.lease);
  for (const std::string& path : options.paths) {
    request.mutable_revoke()->add_paths(path);
  }
  return request;
}

void Show(const Invocation& invocation, const proto::ChangeReply& change) {
  if (invocation.options.json) {
    invocation.out << Dump(ChangeToJson(change)) << '\n';
    return;
  }
  const auto count = static_cast<std::uint64_t>(change.grants_size());
  invocation.out << fmt::format("Revoked {}.\n", Count(count, "grant"));
  if (change.grants_size() > 0) {
    invocation.out << RenderGrants(change.grants());
  }
  // A descriptor that QEMU already has cannot be taken back; saying nothing of it would mislead.
  if (change.still_held_size() > 0) {
    invocation.out << "The VM still has these open. New opens for writing are refused; they are "
                      "readable until the VM has closed them:\n"
                   << RenderGrants(change.still_held());
  }
}

Result<void> RunRevoke(const Invocation& invocation, const RevokeOptions& options) {
  const Result<proto::ChangeReply> change = AskForChange(invocation, MakeRequest(options));
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  Show(invocation, *change);
  if (!options.wait || change->still_held().empty()) {
    return {};
  }
  Result<ControlClient> client = ConnectToBroker(invocation);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const std::chrono::duration<double> timeout(options.timeout);
  return WaitUntilClosed(&*client, change->still_held(),
                         std::chrono::duration_cast<std::chrono::milliseconds>(timeout));
}

}  // namespace

void AddRevokeCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* revoke = app->add_subcommand("revoke", "Take files, or a whole lease, away again");
  const auto options = std::make_shared<RevokeOptions>();
  revoke->add_option("paths", options->paths, "Files to take away; none: the whole --lease")
      ->check(AbsolutePathValidator())
      ->type_name("PATH");
  revoke
      ->add_option("--lease", options->lease, "Only what this lease gives; not given: every lease")
      ->check(LeaseNameValidator())
      ->type_name("LEASE");
  CLI::Option* wait =
      revoke->add_flag("--wait", options->wait, "Wait until the VM has closed what was taken away");
  revoke->add_option("--timeout", options->timeout, "How long to wait, in seconds")
      ->needs(wait)
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str()
      ->type_name("SECONDS");
  revoke->footer(
      "Examples: openhookctl revoke /srv/iso/install.iso\n"
      "          openhookctl revoke --lease admin:alice");
  revoke->callback([&invocation, chosen, options] {
    if (options->paths.empty() && options->lease.empty()) {
      throw CLI::RequiredError("a path or --lease");
    }
    *chosen = [&invocation, options] { return RunRevoke(invocation, *options); };
  });
}

}  // namespace openhook::ctl
