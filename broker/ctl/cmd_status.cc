// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhookctl status: the broker's own facts, and which security is in force, said so plainly that
// nobody takes a missing layer for a present one.

#include <fmt/format.h>

#include <ostream>

#include "broker/base/text.h"
#include "broker/ctl/commands.h"
#include "broker/ctl/json_output.h"
#include "broker/ctl/table.h"
#include "broker/ctl/words.h"
#include "policy/profile/landlock.h"

namespace openhook::ctl {

namespace {

// A broker of an earlier version checks no labels and tells nothing of them.
std::string LabelsFact(const proto::StatusReply& status) {
  return status.label_sentence().empty() ? "not told by this broker: count on the uid only"
                                         : status.label_sentence();
}

// Said plainly where something hangs: it is the reason for what the VM sees.
std::string WorkersFact(const proto::StatusReply& status) {
  std::string text = fmt::format("{} busy, {} waiting; deadline {} s", status.workers_busy(),
                                 Count(status.requests_waiting(), "request"), status.io_deadline());
  if (status.workers_stuck() > 0) {
    text +=
        fmt::format("; {} stuck in the kernel: a file system does not answer (openhookctl watch)",
                    Count(status.workers_stuck(), "killed worker"));
  }
  return text;
}

std::string ProfileFact(const proto::StatusReply& status) {
  if (status.profile().empty()) {
    return "not kept (openhookd --profile apparmor does)";
  }
  if (!status.profile_in_step()) {
    return fmt::format(
        "{} is NOT in step with the whitelist: {}", status.profile(),
        status.profile_fault().empty() ? "it is being loaded" : OneLine(status.profile_fault()));
  }
  return fmt::format("{} is in step with the whitelist: {}, revision {} of the kernel's policy",
                     status.profile(), Count(status.profile_rules(), "file"),
                     status.profile_revision());
}

std::string LandlockFactLine(int abi) {
  return abi > 0 ? fmt::format("ABI {} in this kernel; openhook-qemu applies it to QEMU", abi)
                 : "not in this kernel: QEMU is confined by its uid and file modes alone";
}

bool IsStopped(const landlock::LandlockFact& fact) {
  return fact.effect == landlock::LandlockFact::Effect::kStopped;
}

std::string RenderStatus(const proto::StatusReply& status) {
  std::string text = RenderFacts(
      {{"VM", status.vm()},
       {"Broker", fmt::format("openhookd {}, pid {}, since {}", status.version(), status.pid(),
                              TimeFromSeconds(status.started_unix()))},
       {"Whitelist", fmt::format("{} of {}, generation {}", Count(status.grants(), "grant"),
                                 Count(status.leases(), "lease"), status.generation())},
       {"Jobs", fmt::format("{} running", status.running_jobs())},
       {"Ended, still open", Count(status.ended_held(), "file")},
       {"Drift of chains", status.drift()},
       {"Created files", std::to_string(status.created_files())},
       {"Clients", fmt::format("{} connected, uid {}", status.open_sessions(), status.vm_uid())},
       {"Decisions", fmt::format("{} allowed, {} denied, {} failed since the start",
                                 status.allowed(), status.denied(), status.failed())},
       {"State", status.state_dir()},
       {"Sockets", status.run_dir()},
       {"Paths resolved by", status.openat2()},
       {"Workers", WorkersFact(status)},
       {"AppArmor profile", ProfileFact(status)},
       {"Labels", LabelsFact(status)},
       {"Landlock", LandlockFactLine(status.landlock_abi())}});
  for (const landlock::LandlockFact& fact : landlock::DescribeLandlock(status.landlock_abi())) {
    text +=
        fmt::format("  {}  {}\n", IsStopped(fact) ? "stopped:    " : "NOT stopped:", fact.sentence);
  }
  return text;
}

Json StatusWithLandlock(const proto::StatusReply& status) {
  Json json = StatusToJson(status);
  Json facts = Json::array();
  for (const landlock::LandlockFact& fact : landlock::DescribeLandlock(status.landlock_abi())) {
    facts.push_back({{"stopped", IsStopped(fact)}, {"sentence", fact.sentence}});
  }
  json["landlock"] = {{"abi", status.landlock_abi()}, {"facts", facts}};
  return json;
}

Result<void> RunStatus(const Invocation& invocation) {
  proto::ControlRequest request;
  request.mutable_status();
  const Result<proto::ControlReply> reply = AskBroker(invocation, std::move(request));
  if (!reply) {
    return tl::make_unexpected(reply.error());
  }
  if (!reply->has_status()) {
    return Fail(ErrorCode::kCorrupt, "the broker's answer holds no status");
  }
  if (invocation.options.json) {
    invocation.out << Dump(StatusWithLandlock(reply->status())) << '\n';
  } else {
    invocation.out << RenderStatus(reply->status());
  }
  return {};
}

}  // namespace

void AddStatusCommand(CLI::App* app, const Invocation& invocation, Action* chosen) {
  CLI::App* status = app->add_subcommand("status", "The broker, and the security that is in force");
  status->footer("Example: openhookctl status");
  status->callback(
      [&invocation, chosen] { *chosen = [&invocation] { return RunStatus(invocation); }; });
}

}  // namespace openhook::ctl
