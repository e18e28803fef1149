// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl reconcile: makes the whitelist of a running machine what its live definition says.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <set>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/grant_list.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/libvirt_options.h"
#include "broker/ctl/make_plan.h"
#include "broker/ctl/plan_grants.h"
#include "broker/ctl/reconcile.h"
#include "broker/ctl/table.h"
#include "broker/ctl/words.h"
#include "broker/fs/text_file.h"

namespace openhook::ctl {

namespace {

struct ReconcileCommand {
  LibvirtOptions libvirt;
  std::string definition;
  std::string forbid = kDefaultForbiddenList;
  bool dry_run = false;
};

Result<std::string> ReadLive(const ReconcileCommand& command) {
  if (command.definition == "-") {
    return fs::ReadStandardInput(limits::kMaxDomainXml);
  }
  if (!command.definition.empty()) {
    return fs::ReadTextFile(command.definition, limits::kMaxDomainXml);
  }
  const auto virsh = adopt::Virsh::To(command.libvirt.connect);
  const auto domain = virsh ? virsh->Find(command.libvirt.domain)
                            : Result<adopt::Virsh::Domain>(tl::make_unexpected(virsh.error()));
  const auto state = domain ? virsh->StateOf(domain->uuid)
                            : Result<adopt::Virsh::State>(tl::make_unexpected(domain.error()));
  if (!state) {
    return tl::make_unexpected(state.error());
  }
  if (!state->running) {
    return Fail(ErrorCode::kUnavailable,
                Quote(domain->name) + " does not run, so it has no whitelist to be put right");
  }
  return virsh->Definition(domain->uuid, adopt::Virsh::Which::kLive);
}

// Disks that a running job is about.
Result<std::set<std::string>> BusyDisks(ControlClient* client) {
  std::set<std::string> disks;
  std::string after;
  for (bool more = true; more;) {
    proto::ControlRequest request;
    request.mutable_job_list()->set_after_id(after);
    const auto reply = client->Call(std::move(request));
    if (!reply) {
      return tl::make_unexpected(reply.error());
    }
    for (const proto::JobInfo& job : reply->job_list().jobs()) {
      disks.insert(job.disk());
      after = job.id();
    }
    more = reply->job_list().more() && !reply->job_list().jobs().empty();
  }
  disks.erase("");
  return disks;
}

class Reconciling {
 public:
  Reconciling(ControlClient* client, const PlanGrants& wanted) : client_(client), wanted_(wanted) {}

  [[nodiscard]] Result<Difference> Look() const {
    const auto busy = BusyDisks(client_);
    const auto given = AskAllGrants(client_);
    if (!busy || !given) {
      return tl::make_unexpected(busy ? given.error() : busy.error());
    }
    return Compare(wanted_, given->grants(), *busy);
  }

  // The first error counts, and does not keep the rest from being put right.
  Result<void> Converge(const Difference& before) const {
    Result<void> verdict;
    for (const proto::GrantRequest& grant : before.requests) {
      proto::ControlRequest request;
      *request.mutable_grant() = grant;
      Keep(Ask(std::move(request)), &verdict);
    }
    // Headers may have been followed just now, and a chain's lease with them.
    const auto now = Look();
    if (!now) {
      return verdict ? tl::make_unexpected(now.error()) : verdict;
    }
    Keep(End(*now), &verdict);
    return verdict;
  }

 private:
  static void Keep(Result<void> outcome, Result<void>* verdict) {
    if (!outcome && *verdict) {
      *verdict = std::move(outcome);
    }
  }

  Result<void> Ask(proto::ControlRequest request) const {
    return client_->Call(std::move(request)).map([](const proto::ControlReply&) {});
  }

  [[nodiscard]] Result<bool> IsHeld(const std::string& path) const {
    proto::ControlRequest request;
    request.mutable_holders()->set_path(path);
    return client_->Call(std::move(request)).map([](const proto::ControlReply& reply) {
      return !reply.holders().holders().empty();
    });
  }

  Result<void> End(const Difference& now) const {
    std::map<std::string, proto::RevokeRequest> leases;
    for (const SurplusFile& surplus : now.surplus) {
      const bool asks = surplus.when == Surplus::kUnlessHeld;
      const auto held = asks ? IsHeld(surplus.file.path) : Result<bool>(false);
      if (!held) {
        return tl::make_unexpected(held.error());
      }
      if (!*held) {
        proto::RevokeRequest& revoke = leases[surplus.file.lease];
        revoke.set_lease(surplus.file.lease);
        revoke.add_paths(surplus.file.path);
      }
    }
    Result<void> verdict;
    for (auto& [lease, revoke] : leases) {
      proto::ControlRequest request;
      *request.mutable_revoke() = std::move(revoke);
      Keep(Ask(std::move(request)), &verdict);
    }
    return verdict;
  }

  ControlClient* client_;
  const PlanGrants& wanted_;
};

Json FileToJson(const LeasedFile& file) {
  Json json;
  json["lease"] = file.lease;
  SetPath(&json, "path", file.path);
  json["access"] = AccessWord(file.access);
  return json;
}

Json ToJson(const std::string& vm, const Difference& difference, const Difference& after) {
  Json json;
  json["vm"] = vm;
  json["missing"] = Json::array();
  for (const LeasedFile& file : difference.missing) {
    json["missing"].push_back(FileToJson(file));
  }
  json["surplus"] = Json::array();
  for (const SurplusFile& surplus : difference.surplus) {
    json["surplus"].push_back(FileToJson(surplus.file));
  }
  json["busy"] = difference.busy;
  json["left"] = after.missing.size() + after.surplus.size();
  return json;
}

std::string Render(const Difference& difference) {
  Table table({{""}, {"ACCESS"}, {"LEASE"}, {"PATH"}});
  for (const LeasedFile& file : difference.missing) {
    table.AddRow({"+", std::string(AccessWord(file.access)), file.lease, file.path});
  }
  for (const SurplusFile& surplus : difference.surplus) {
    const LeasedFile& file = surplus.file;
    table.AddRow({"-", std::string(AccessWord(file.access)), file.lease, file.path});
  }
  return table.Render();
}

void Show(const Invocation& invocation, const std::string& vm, const ReconcileCommand& command,
          const Difference& before, const Difference& after) {
  if (invocation.options.json) {
    invocation.out << Dump(ToJson(vm, before, after)) << '\n';
    return;
  }
  if (before.IsNone()) {
    invocation.out << "The whitelist is what the live definition says.\n";
  } else {
    invocation.out << Render(before);
  }
  if (command.dry_run) {
    invocation.out << "Nothing was changed (--dry-run).\n";
    return;
  }
  for (const std::string& disk : before.busy) {
    invocation.err << "openhookctl: note: a job of the disk " << Quote(disk)
                   << " runs, so it is left as it is\n";
  }
  for (const SurplusFile& surplus : after.surplus) {
    invocation.err << "openhookctl: note: " << Quote(surplus.file.path)
                   << " is in no element of the definition, and the machine has it open: it stays "
                      "until it is closed\n";
  }
}

Result<HostPlan> PlanLive(const ReconcileCommand& command) {
  const auto forbidden = ReadForbidden(command.forbid);
  if (!forbidden) {
    return tl::make_unexpected(forbidden.error());
  }
  return ReadLive(command)
      .and_then([](const std::string& xml) { return ReadDefinition(xml); })
      .map([&](const domain::Plan& plan) { return PlanOnHost(plan, *forbidden); });
}

// The machine of the definition, unless a broker is named.
Result<ControlClient> ConnectFor(const Invocation& invocation, const HostPlan& plan) {
  Invocation chosen = invocation;
  if (chosen.options.vm.empty() && chosen.options.socket.empty()) {
    chosen.options.vm = plan.uuid;
  }
  return ConnectToBroker(chosen);
}

Result<void> RunReconcile(const Invocation& invocation, const ReconcileCommand& command) {
  const auto plan = PlanLive(command);
  if (!plan) {
    return tl::make_unexpected(plan.error());
  }
  auto client = ConnectFor(invocation, *plan);
  if (!client) {
    return tl::make_unexpected(std::move(client).error());
  }
  const PlanGrants wanted = GrantsOfPlan(*plan);
  const Reconciling reconciling(&*client, wanted);
  const auto before = reconciling.Look();
  if (!before) {
    return tl::make_unexpected(before.error());
  }
  const auto converged = command.dry_run ? Result<void>() : reconciling.Converge(*before);
  const auto after = reconciling.Look();
  if (!after) {
    return tl::make_unexpected(after.error());
  }
  Show(invocation, client->Vm(), command, *before, *after);
  return converged ? CheckRefused(*plan) : converged;
}

}  // namespace

void AddReconcileCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* reconcile = app->add_subcommand(
      "reconcile", "Make the whitelist of a running machine what its live definition says");
  const auto command = std::make_shared<ReconcileCommand>();
  CLI::Option* domain =
      reconcile->add_option("domain", command->libvirt.domain, "Name or UUID of the domain")
          ->type_name("DOMAIN");
  reconcile
      ->add_option("--definition", command->definition,
                   "The live definition, instead of asking libvirt for it; - is standard input")
      ->type_name("FILE")
      ->excludes(domain);
  AddLibvirtOptions(reconcile, &command->libvirt);
  reconcile->add_flag("--dry-run", command->dry_run, "Show the difference, and change nothing");
  reconcile
      ->add_option("--forbid", command->forbid,
                   "The list of paths that no machine may have; not given: the one compiled in")
      ->type_name("FILE");
  reconcile->footer("Example: openhookctl reconcile vm1 --dry-run");
  reconcile->callback([&invocation, chosen, command] {
    if (command->libvirt.domain.empty() && command->definition.empty()) {
      throw CLI::RequiredError("a domain or --definition");
    }
    *chosen = [&invocation, command] { return RunReconcile(invocation, *command); };
  });
}

}  // namespace openhook::ctl
