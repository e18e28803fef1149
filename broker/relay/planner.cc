// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/planner.h"

#include <array>

#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

struct Row {
  std::string_view command;
  Concern concern;
  Planner plan;
};

constexpr auto kRows = std::to_array<Row>({
    {"blockdev-add", Concern::kAsking, PlanBlockdevAdd},
    {"blockdev-del", Concern::kNoting, PlanBlockdevDel},
    {"blockdev-reopen", Concern::kAsking, PlanReopen},
    {"device_add", Concern::kAsking, PlanDeviceAdd},
    {"blockdev-insert-medium", Concern::kAsking, PlanInsertMedium},
    {"blockdev-remove-medium", Concern::kAsking, PlanEject},
    {"blockdev-change-medium", Concern::kAsking, PlanChangeMedium},
    {"eject", Concern::kAsking, PlanEject},
    {"blockdev-create", Concern::kAsking, PlanCreate},
    {"blockdev-snapshot", Concern::kAsking, PlanSnapshot},
    {"blockdev-snapshot-sync", Concern::kAsking, PlanSnapshotSync},
    {"transaction", Concern::kAsking, PlanTransaction},
    {"block-commit", Concern::kAsking, PlanCommit},
    {"block-stream", Concern::kAsking, PlanStream},
    {"drive-mirror", Concern::kAsking, PlanDriveMirror},
    {"blockdev-mirror", Concern::kAsking, PlanBlockdevMirror},
    {"drive-backup", Concern::kAsking, PlanDriveBackup},
    {"blockdev-backup", Concern::kAsking, PlanBlockdevBackup},
    {"job-complete", Concern::kNoting, PlanJobComplete},
    {"block-job-complete", Concern::kNoting, PlanJobComplete},
    {"dump-guest-memory", Concern::kAsking, PlanDump},
    {"dump-skeys", Concern::kAsking, PlanFileOfCommand},
    {"pmemsave", Concern::kAsking, PlanFileOfCommand},
    {"memsave", Concern::kAsking, PlanFileOfCommand},
    {"screendump", Concern::kAsking, PlanFileOfCommand},
    {"xen-save-devices-state", Concern::kAsking, PlanFileOfCommand},
    {"xen-load-devices-state", Concern::kAsking, PlanFileOfCommand},
    {"object-add", Concern::kAsking, PlanObjectAdd},
    {"object-del", Concern::kNoting, PlanObjectDel},
    {"chardev-add", Concern::kAsking, PlanChardevAdd},
    {"chardev-change", Concern::kAsking, PlanChardevAdd},
    {"chardev-remove", Concern::kNoting, PlanChardevRemove},
    {"migrate", Concern::kAsking, PlanMigrate},
    {"migrate-incoming", Concern::kAsking, PlanMigrateIncoming},
    {"cont", Concern::kAsking, PlanCont},
    {"human-monitor-command", Concern::kAsking, PlanHumanCommand},
});

const Row* Find(const std::string& command) {
  for (const Row& row : kRows) {
    if (row.command == command) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace

Concern ConcernOf(const std::string& command, const Json& arguments, const State& state) {
  const Row* row = Find(command);
  if (row == nullptr || (row->plan == PlanCont && !state.left) ||
      (row->plan == PlanDeviceAdd && StringAt(arguments, "drive").empty())) {
    return Concern::kNone;
  }
  if (row->plan == PlanHumanCommand) {
    return ConcernOfHumanCommand(arguments, state);
  }
  return row->concern;
}

Plan PlanCommand(const std::string& command, const Json& arguments, const State& state,
                 const std::vector<DiskChain>& chains, std::uint64_t* next_job) {
  Planning planning(state, chains, next_job);
  if (const Row* row = Find(command)) {
    row->plan(arguments, &planning);
  }
  return std::move(planning.plan);
}

}  // namespace openhook::relay
