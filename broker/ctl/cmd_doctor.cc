// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl doctor: looks at everything on this host that openhook rests on, and says what to do.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/libvirt_options.h"
#include "broker/ctl/make_plan.h"
#include "broker/ctl/words.h"
#include "broker/doctor/kernel.h"
#include "broker/doctor/libvirt.h"
#include "broker/doctor/machines.h"
#include "broker/doctor/security.h"

namespace openhook::ctl {

namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::Level;

std::string_view WordOf(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kNote:
      return "note";
    case Level::kProblem:
      break;
  }
  return "problem";
}

Findings Examine(const doctor::HostPaths& paths, const adopt::Virsh& virsh) {
  Findings findings = doctor::CheckKernel();
  Add(&findings, doctor::CheckSecurityModule(paths));
  const Findings daemon = doctor::CheckDaemon(virsh);
  Add(&findings, daemon);
  Add(&findings, doctor::CheckFeed(paths));
  Add(&findings, doctor::CheckDirectories(paths));
  const bool answers = daemon.front().level != Level::kProblem;
  const doctor::Brokers brokers = doctor::AskBrokers(paths);
  Add(&findings, doctor::CheckBrokers(brokers));
  Add(&findings, doctor::CheckAdopted(
                     paths, answers ? &virsh : nullptr,
                     [](std::string_view xml) { return ReadDefinition(xml); }, brokers));
  return findings;
}

void ShowText(const Invocation& invocation, const Findings& findings) {
  for (const Finding& finding : findings) {
    invocation.out << fmt::format("{:<8} {}: {}\n", WordOf(finding.level), finding.subject,
                                  finding.sentence);
    if (!finding.remedy.empty()) {
      invocation.out << fmt::format("{:<8} {}\n", "", "to do: " + finding.remedy);
    }
  }
}

void ShowJson(const Invocation& invocation, const Findings& findings, std::uint64_t problems) {
  Json json;
  json["problems"] = problems;
  json["findings"] = Json::array();
  for (const Finding& finding : findings) {
    json["findings"].push_back({{"level", WordOf(finding.level)},
                                {"subject", finding.subject},
                                {"sentence", finding.sentence},
                                {"remedy", finding.remedy}});
  }
  invocation.out << Dump(json) << '\n';
}

Result<void> RunDoctor(const Invocation& invocation, const LibvirtOptions& options) {
  const auto virsh = adopt::Virsh::To(options.connect);
  if (!virsh) {
    return tl::make_unexpected(virsh.error());
  }
  doctor::HostPaths paths;
  paths.config_dir = options.config_dir;
  paths.run_dir = invocation.options.run_dir;
  const Findings findings = Examine(paths, *virsh);
  const auto problems = static_cast<std::uint64_t>(
      std::count_if(findings.begin(), findings.end(),
                    [](const Finding& finding) { return finding.level == Level::kProblem; }));
  if (invocation.options.json) {
    ShowJson(invocation, findings, problems);
  } else {
    ShowText(invocation, findings);
  }
  return problems == 0 ? Result<void>()
                       : Fail(ErrorCode::kConflict, Count(problems, "problem") + " found");
}

}  // namespace

void AddDoctorCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* doctor = app->add_subcommand(
      "doctor", "Look at this host: kernel, security module, libvirt, brokers, adopted domains");
  const auto options = std::make_shared<LibvirtOptions>();
  AddLibvirtOptions(doctor, options.get());
  doctor->footer("Exit status: 1 when there is a problem.\nExample: openhookctl doctor");
  doctor->callback([&invocation, chosen, options] {
    *chosen = [&invocation, options] { return RunDoctor(invocation, *options); };
  });
}

}  // namespace openhook::ctl
