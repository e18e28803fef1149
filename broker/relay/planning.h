// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A plan in the making: the words that the planners of single commands (plan_*.cc) share.

#ifndef BROKER_RELAY_PLANNING_H_
#define BROKER_RELAY_PLANNING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/relay/planner.h"

namespace openhook::relay {

class Planning {
 public:
  Planning(const State& state, const std::vector<DiskChain>& chains, std::uint64_t* next_job)
      : state_(state), chains_(chains), next_job_(next_job) {}

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] const Graph& graph() const { return state_.graph; }
  Plan plan;

  void Refuse(const std::string& reason);
  [[nodiscard]] bool IsRefused() const { return !plan.refusal.empty(); }

  // The node that a command calls `name`: a node, or what a drive of that name stands on. The name
  // itself where neither is known.
  [[nodiscard]] std::string NodeOf(const std::string& name) const;
  [[nodiscard]] std::string NodeOfDevice(const std::string& id) const;
  // The file of a node. Refuses when nobody has said what the node is.
  std::string NeedFile(const std::string& node);

  [[nodiscard]] const DiskChain* ChainWith(const std::string& file) const;
  [[nodiscard]] const DiskChain* ChainCalled(const std::string& disk) const;
  // Does a recorded disk give the VM this access anyway?
  [[nodiscard]] bool IsGiven(const std::string& file, proto::GrantAccess access) const;

  // A job in the plan; the reference is good until the next one. `label` ends up in its id.
  // `watched` and `sign`: what tells whether QEMU did it.
  proto::JobBeginRequest& Begin(proto::JobKind kind, std::string_view label,
                                const std::string& watched = "", Sign sign = Sign::kHeld);
  [[nodiscard]] const std::string& LastId() const { return plan.begins.back().id(); }
  // A job that gives one file as long as `owner` lives.
  void Hold(const std::string& owner, const std::string& file, proto::GrantAccess access);
  // The last job ends with the command.
  void EndWithCommand();
  // The last job goes on until QEMU's job is over.
  Tracked& EndWithJob(const std::string& qemu_job);

  // What nodes an image brings that a command names by its file.
  void AddImage(const std::string& name, const std::string& format, const std::string& file,
                const std::string& backing, Effects* effects) const;

 private:
  const State& state_;
  const std::vector<DiskChain>& chains_;
  std::uint64_t* next_job_;
};

// The id that QEMU gives the job of a command.
std::string JobIdOf(const Json& arguments);

void AddTarget(proto::JobBeginRequest* job, const std::string& file, proto::GrantAccess access,
               const std::string& format, std::uint32_t depth = 0);

using Planner = void (*)(const Json& arguments, Planning* planning);

// plan_nodes.cc
void PlanBlockdevAdd(const Json& arguments, Planning* planning);
void PlanBlockdevDel(const Json& arguments, Planning* planning);
void PlanReopen(const Json& arguments, Planning* planning);
// plan_devices.cc
void PlanDeviceAdd(const Json& arguments, Planning* planning);
void PlanInsertMedium(const Json& arguments, Planning* planning);
void PlanChangeMedium(const Json& arguments, Planning* planning);
void PlanEject(const Json& arguments, Planning* planning);
// plan_jobs.cc
void PlanCreate(const Json& arguments, Planning* planning);
void PlanCommit(const Json& arguments, Planning* planning);
void PlanStream(const Json& arguments, Planning* planning);
void PlanJobComplete(const Json& arguments, Planning* planning);
// plan_copies.cc
void PlanSnapshot(const Json& arguments, Planning* planning);
void PlanSnapshotSync(const Json& arguments, Planning* planning);
void PlanDriveMirror(const Json& arguments, Planning* planning);
void PlanBlockdevMirror(const Json& arguments, Planning* planning);
void PlanDriveBackup(const Json& arguments, Planning* planning);
void PlanBlockdevBackup(const Json& arguments, Planning* planning);
void PlanTransaction(const Json& arguments, Planning* planning);
// plan_files.cc
void PlanFileOfCommand(const Json& arguments, Planning* planning);  // "filename"
void PlanDump(const Json& arguments, Planning* planning);
void PlanObjectAdd(const Json& arguments, Planning* planning);
void PlanObjectDel(const Json& arguments, Planning* planning);
void PlanChardevAdd(const Json& arguments, Planning* planning);
void PlanChardevRemove(const Json& arguments, Planning* planning);
void PlanMigrate(const Json& arguments, Planning* planning);
void PlanMigrateIncoming(const Json& arguments, Planning* planning);
void PlanCont(const Json& arguments, Planning* planning);
void SaveTo(const std::string& file, Planning* planning);
// plan_hmp.cc
void PlanHumanCommand(const Json& arguments, Planning* planning);
Concern ConcernOfHumanCommand(const Json& arguments, const State& state);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_PLANNING_H_
