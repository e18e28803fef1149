// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl plan: what a libvirt domain makes QEMU open, as grants. Needs no broker, and no file
// of the domain to exist.

#include <fmt/format.h>

#include <memory>
#include <ostream>
#include <vector>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/host_plan.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/make_plan.h"
#include "broker/ctl/plan_grants.h"
#include "broker/ctl/plan_output.h"
#include "broker/ctl/render.h"
#include "broker/fs/text_file.h"

namespace openhook::ctl {

namespace {

struct PlanOptions {
  std::string definition;
  std::string forbid = kDefaultForbiddenList;
  std::string command_line = "warn";
  bool show_forbidden = false;
  bool apply = false;
};

Result<HostPlan> MakePlan(const PlanOptions& options) {
  const auto forbidden = ReadForbidden(options.forbid);
  if (!forbidden) {
    return tl::make_unexpected(forbidden.error());
  }
  const auto xml = options.definition == "-"
                       ? fs::ReadStandardInput(limits::kMaxDomainXml)
                       : fs::ReadTextFile(options.definition, limits::kMaxDomainXml);
  if (!xml) {
    return tl::make_unexpected(xml.error());
  }
  return ReadDefinition(*xml, CommandLineOf(options.command_line))
      .map([&](const domain::Plan& plan) { return PlanOnHost(plan, *forbidden); });
}

// A plan that lacks something which the machine needs is shown, and is no success.
Result<void> Verdict(const Invocation& invocation, const HostPlan& plan) {
  for (const std::string& warning : plan.warnings) {
    if (!invocation.options.json) {
      invocation.err << "openhookctl: warning: " << OneLine(warning) << '\n';
    }
  }
  return CheckRefused(plan);
}

// The disks' chains are requests of their own, so what was granted before one is refused stays.
Result<std::vector<proto::ChangeReply>> Apply(const Invocation& invocation, const HostPlan& plan) {
  PlanGrants grants = GrantsOfPlan(plan);
  for (const std::string& sentence : grants.left_out) {
    invocation.err << "openhookctl: not granted: " << OneLine(sentence) << '\n';
  }
  std::vector<proto::ChangeReply> changes;
  for (proto::GrantRequest& grant : grants.requests) {
    proto::ControlRequest request;
    const std::string lease = grant.lease();
    *request.mutable_grant() = std::move(grant);
    auto change = AskForChange(invocation, std::move(request));
    if (!change) {
      Error error = std::move(change).error();
      error.context = fmt::format("the lease {}: {}{}", Quote(lease), error.context,
                                  changes.empty() ? "" : " (the leases before it are granted)");
      return tl::make_unexpected(std::move(error));
    }
    changes.push_back(std::move(*change));
  }
  return changes;
}

void Print(const Invocation& invocation, const HostPlan& plan,
           const std::vector<proto::ChangeReply>* changes) {
  if (invocation.options.json) {
    Json json = PlanToJson(plan);
    if (changes != nullptr) {
      json["applied"] = Json::array();
      for (const proto::ChangeReply& change : *changes) {
        json["applied"].push_back(ChangeToJson(change));
      }
    }
    invocation.out << Dump(json) << '\n';
    return;
  }
  if (changes == nullptr) {
    invocation.out << fmt::format("Machine {}, {}\n", Quote(plan.name),
                                  plan.uuid.empty() ? "without a UUID" : Escape(plan.uuid))
                   << RenderPlan(plan);
    return;
  }
  for (const proto::ChangeReply& change : *changes) {
    invocation.out << "Granted:\n" << RenderGrants(change.grants());
  }
}

Result<void> RunPlan(const Invocation& invocation, const PlanOptions& options) {
  if (options.show_forbidden) {
    invocation.out << domain::ForbiddenPaths::DefaultText();
    return {};
  }
  const auto plan = MakePlan(options);
  if (!plan) {
    return tl::make_unexpected(plan.error());
  }
  const bool applies = options.apply && plan->refused.empty();
  const auto changes =
      applies ? Apply(invocation, *plan) : Result<std::vector<proto::ChangeReply>>();
  if (!changes) {
    return tl::make_unexpected(changes.error());
  }
  Print(invocation, *plan, applies ? &*changes : nullptr);
  return Verdict(invocation, *plan);
}

}  // namespace

void AddPlanCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* plan = app->add_subcommand(
      "plan", "What a libvirt domain makes QEMU open, as grants (needs no broker)");
  const auto options = std::make_shared<PlanOptions>();
  plan->add_option("definition", options->definition,
                   "The domain's XML, as 'virsh dumpxml' prints it; - is standard input")
      ->type_name("DOMAIN.xml");
  plan->add_option("--forbid", options->forbid,
                   "The list of paths that no machine may have; not given: the one compiled in")
      ->type_name("FILE");
  plan->add_option("--commandline", options->command_line,
                   "What becomes of files that <qemu:commandline> names: warn, read, read-write")
      ->check(CLI::IsMember({"warn", "read", "read-write"}))
      ->type_name("WORD");
  plan->add_flag("--show-forbidden", options->show_forbidden,
                 "Print the list of forbidden paths that is compiled in, and end");
  plan->add_flag(
      "--apply", options->apply,
      "Ask the broker to grant the plan: each disk under the lease device:NAME, the rest "
      "under the lease domain; nothing when something is refused");
  plan->footer(
      "Examples: virsh dumpxml vm1 | openhookctl plan -\n"
      "          virsh dumpxml vm1 | openhookctl --vm UUID plan - --apply");
  plan->callback([&invocation, chosen, options] {
    if (options->definition.empty() && !options->show_forbidden) {
      throw CLI::RequiredError("a definition");
    }
    *chosen = [&invocation, options] { return RunPlan(invocation, *options); };
  });
}

}  // namespace openhook::ctl
