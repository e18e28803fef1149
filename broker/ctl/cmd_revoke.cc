// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl revoke: ends a lease, or takes single files out of one lease or of all.

#include <fmt/format.h>

#include <memory>
#include <ostream>
#include <vector>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/render.h"
#include "broker/ctl/validators.h"
#include "broker/ctl/words.h"

namespace openhook::ctl {

namespace {

struct RevokeOptions {
  std::vector<std::string> paths;
  std::string lease;
};

proto::ControlRequest MakeRequest(const RevokeOptions& options) {
  proto::ControlRequest request;
  request.mutable_revoke()->set_lease(options.lease);
  for (const std::string& path : options.paths) {
    request.mutable_revoke()->add_paths(path);
  }
  return request;
}

// A descriptor that QEMU already has cannot be taken back; saying nothing about it would mislead.
constexpr const char* kAlreadyOpen =
    "New opens are refused from now on. A file that the VM has open already stays open until the "
    "VM closes it.\n";

Result<void> RunRevoke(const Invocation& invocation, const RevokeOptions& options) {
  const Result<proto::ChangeReply> change = AskForChange(invocation, MakeRequest(options));
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  if (invocation.options.json) {
    invocation.out << Dump(ChangeToJson(*change)) << '\n';
    return {};
  }
  const auto count = static_cast<std::uint64_t>(change->grants_size());
  invocation.out << fmt::format("Revoked {}.\n", Count(count, "grant"));
  if (change->grants_size() > 0) {
    invocation.out << RenderGrants(change->grants()) << kAlreadyOpen;
  }
  return {};
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
