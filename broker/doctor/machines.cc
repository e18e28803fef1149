// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/doctor/machines.h"

#include <algorithm>
#include <optional>

#include "broker/base/text.h"
#include "broker/client/control_client.h"
#include "broker/fs/directory.h"
#include "broker/fs/program_file.h"

namespace openhook::doctor {

namespace {

std::optional<proto::StatusReply> Ask(const std::string& socket) {
  auto client = client::ControlClient::Connect(socket);
  if (!client) {
    return std::nullopt;
  }
  proto::ControlRequest request;
  request.mutable_status();
  const auto reply = client->Call(std::move(request));
  return reply && reply->has_status() ? std::optional(reply->status()) : std::nullopt;
}

Finding CheckBroker(const std::string& uuid, const proto::StatusReply& status) {
  const std::string subject = "broker " + uuid;
  if (!status.profile().empty() && !status.profile_in_step()) {
    return {Level::kProblem, subject,
            "the profile " + OneLine(status.profile()) +
                " is not in step with the whitelist: " + OneLine(status.profile_fault()),
            "is openhook-loader running? openhookctl status --vm " + uuid};
  }
  const std::string sentence =
      "serves " + std::to_string(status.grants()) + " grants; " + OneLine(status.label_sentence());
  if (status.workers_stuck() > 0) {
    return {Level::kNote, subject, sentence + "; a file system does not answer",
            "openhookctl watch --vm " + uuid};
  }
  return {Level::kOk, subject, sentence, ""};
}

// One adopted domain.
class Adopted {
 public:
  Adopted(std::string uuid, const adopt::Record& record, const Brokers& brokers)
      : uuid_(std::move(uuid)), record_(record), served_(brokers.contains(uuid_)) {}

  [[nodiscard]] Findings Check(const adopt::Virsh& virsh, const adopt::Planner& planner) const {
    const auto state = virsh.StateOf(uuid_);
    if (!state && state.error().code == ErrorCode::kNotFound) {
      return {Say(Level::kNote, "it is no longer defined", "openhookctl release " + uuid_)};
    }
    if (!state) {
      return {Say(Level::kProblem, state.error().Message(), "")};
    }
    Findings findings;
    if (state->persistent) {
      findings.push_back(CheckDefinition(virsh, planner));
    }
    if (state->running) {
      findings.push_back(CheckRunning(virsh, planner));
    }
    return findings;
  }

  [[nodiscard]] Finding Say(Level level, std::string sentence, std::string remedy) const {
    return {level, "domain " + uuid_, std::move(sentence), std::move(remedy)};
  }

 private:
  [[nodiscard]] Result<bool> RunsWrapper(const adopt::Virsh& virsh, const adopt::Planner& planner,
                                         adopt::Virsh::Which which) const {
    return virsh.Definition(uuid_, which)
        .and_then([&](const std::string& xml) { return planner(xml); })
        .map(
            [&](const domain::Plan& plan) { return plan.places.emulator_path == record_.wrapper; });
  }

  [[nodiscard]] Finding CheckDefinition(const adopt::Virsh& virsh,
                                        const adopt::Planner& planner) const {
    const auto wrapped = RunsWrapper(virsh, planner, adopt::Virsh::Which::kPersistent);
    if (!wrapped) {
      return Say(Level::kProblem, wrapped.error().Message(), "");
    }
    if (!*wrapped) {
      return Say(Level::kProblem,
                 "its definition does not run openhook-qemu any more (was it redefined, or "
                 "reverted to an older snapshot?), so it starts unconfined",
                 "openhookctl adopt " + uuid_ + ", or openhookctl release " + uuid_);
    }
    return Say(Level::kOk, "adopted", "");
  }

  [[nodiscard]] Finding CheckRunning(const adopt::Virsh& virsh,
                                     const adopt::Planner& planner) const {
    const auto wrapped = RunsWrapper(virsh, planner, adopt::Virsh::Which::kLive);
    if (!wrapped) {
      return Say(Level::kProblem, wrapped.error().Message(), "");
    }
    if (!*wrapped) {
      return Say(Level::kNote, "it was started before it was adopted, and runs without a broker",
                 "shut it down and start it again");
    }
    if (!served_) {
      return Say(Level::kProblem,
                 "it runs and has no broker: what it has open works, nothing can be opened",
                 "restart libvirtd: its hook starts the broker");
    }
    return Say(Level::kOk, "it runs, and its broker serves it", "");
  }

  std::string uuid_;
  const adopt::Record& record_;
  bool served_;
};

Findings CheckWrapper(const Adopted& domain, const adopt::Record& record) {
  if (fs::IsProgram(record.wrapper)) {
    return {};
  }
  return {domain.Say(Level::kProblem,
                     Quote(record.wrapper) + ", its emulator, is no program of this host",
                     "install openhook again")};
}

}  // namespace

Brokers AskBrokers(const HostPaths& paths) {
  Brokers brokers;
  const auto names = fs::ListDirectory(paths.run_dir);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (auto status = Ask(paths.run_dir + "/" + name + "/control.sock")) {
      brokers.emplace(name, std::move(*status));
    }
  }
  return brokers;
}

Findings CheckBrokers(const Brokers& brokers) {
  Findings findings;
  for (const auto& [uuid, status] : brokers) {
    findings.push_back(CheckBroker(uuid, status));
  }
  return findings;
}

Findings CheckAdopted(const HostPaths& paths, const adopt::Virsh* virsh,
                      const adopt::Planner& planner, const Brokers& brokers) {
  const adopt::Adoptions adoptions(paths.config_dir + "/domains");
  const auto uuids = adoptions.All();
  if (!uuids) {
    return {{Level::kProblem, "domains", uuids.error().Message(), ""}};
  }
  if (uuids->empty()) {
    return {{Level::kNote, "domains", "none is adopted", "openhookctl adopt DOMAIN"}};
  }
  Findings findings;
  for (const std::string& uuid : *uuids) {
    const auto kept = adoptions.RecordOf(uuid);
    const adopt::Record record = kept && *kept ? **kept : adopt::Record();
    const Adopted domain(uuid, record, brokers);
    if (!kept || !*kept) {
      findings.push_back(domain.Say(Level::kProblem, "what adopting it kept is gone or damaged",
                                    "openhookctl adopt " + uuid));
      continue;
    }
    Add(&findings, CheckWrapper(domain, record));
    if (virsh != nullptr) {
      Add(&findings, domain.Check(*virsh, planner));
    }
  }
  return findings;
}

}  // namespace openhook::doctor
