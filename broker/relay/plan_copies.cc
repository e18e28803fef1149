// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What brings a new image to a disk: snapshots, mirrors, backups; and several of them at once.

#include <array>

#include "broker/base/text.h"
#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

// The new image that a command names by its file.
struct Target {
  FileName name;
  proto::GrantAccess access = proto::GRANT_ACCESS_CREATE;
  std::string format;
};

Target TargetOf(const Json& arguments, const char* key, const std::string& format,
                Planning* planning) {
  Target target;
  target.name = ReadFileName(StringAt(arguments, key), planning->state().cwd);
  target.format = StringAt(arguments, "format", format);
  if (StringAt(arguments, "mode") == "existing") {
    target.access = proto::GRANT_ACCESS_READ_WRITE;
  }
  if (target.name.kind == FileName::Kind::kUnclear) {
    planning->Refuse("openhook cannot tell which file " + Quote(StringAt(arguments, key)) +
                     " names; give its path, or use the command that takes a node");
  }
  return target;
}

std::string SourceOf(const Json& arguments, const Planning& planning) {
  return planning.NodeOf(StringAt(arguments, "device", StringAt(arguments, "node-name")));
}

std::string FormatOf(const std::string& node, const Graph& graph) {
  return graph.Find(node) == nullptr ? "raw" : graph.Find(node)->driver;
}

void BeginSnapshot(const std::string& node, const std::string& file, proto::GrantAccess access,
                   const std::string& format, Planning* planning) {
  auto& job = planning->Begin(proto::JOB_KIND_SNAPSHOT, node, file);
  job.set_disk(planning->graph().FileOf(node));
  AddTarget(&job, file, access, format);
  planning->EndWithCommand();
}

void ReleaseTarget(const std::string& node, const Graph& graph, Effects* effects) {
  effects->released.push_back("node:" + node);
  effects->released.push_back("node:" + graph.StorageOf(node));
}

Tracked& BeginMirror(const Json& arguments, const std::string& source, const std::string& file,
                     proto::GrantAccess access, const std::string& format, Planning* planning) {
  auto& job = planning->Begin(proto::JOB_KIND_MIRROR, JobIdOf(arguments), file);
  job.set_disk(planning->graph().FileOf(source));
  job.set_shallow(StringAt(arguments, "sync") == "top");
  AddTarget(&job, file, access, format);
  Tracked& tracked = planning->EndWithJob(JobIdOf(arguments));
  tracked.pivots = true;
  return tracked;
}

void BeginBackup(const Json& arguments, const std::string& source, const std::string& file,
                 proto::GrantAccess access, const std::string& format, Planning* planning) {
  const DiskChain* chain = planning->ChainWith(planning->graph().FileOf(source));
  auto& job = planning->Begin(proto::JOB_KIND_BACKUP, JobIdOf(arguments), file);
  job.set_disk(chain == nullptr ? "" : chain->disk);
  AddTarget(&job, file, access, format);
  planning->EndWithJob(JobIdOf(arguments));
}

struct Action {
  std::string_view type;
  Planner plan;
};
// The other actions open nothing.
constexpr auto kActions = std::to_array<Action>({
    {"blockdev-snapshot", PlanSnapshot},
    {"blockdev-snapshot-sync", PlanSnapshotSync},
    {"drive-backup", PlanDriveBackup},
    {"blockdev-backup", PlanBlockdevBackup},
});

}  // namespace

void PlanSnapshot(const Json& arguments, Planning* planning) {
  const std::string node = planning->NodeOf(StringAt(arguments, "node"));
  const std::string overlay = StringAt(arguments, "overlay");
  planning->NeedFile(node);
  const std::string file = planning->NeedFile(overlay);
  if (planning->IsRefused()) {
    return;
  }
  BeginSnapshot(node, file, proto::GRANT_ACCESS_READ_WRITE, FormatOf(overlay, planning->graph()),
                planning);
  Effects& effects = planning->plan.effects;
  effects.moves.push_back({node, overlay});
  Node over = *planning->graph().Find(overlay);
  over.backing = node;
  effects.nodes[overlay] = over;
  ReleaseTarget(overlay, planning->graph(), &effects);
}

void PlanSnapshotSync(const Json& arguments, Planning* planning) {
  const std::string node = SourceOf(arguments, *planning);
  const Target target = TargetOf(arguments, "snapshot-file", "qcow2", planning);
  planning->NeedFile(node);
  if (planning->IsRefused()) {
    return;
  }
  Effects& effects = planning->plan.effects;
  if (target.name.kind == FileName::Kind::kFile) {
    BeginSnapshot(node, target.name.path, target.access, target.format, planning);
  }
  const std::string name = StringAt(arguments, "snapshot-node-name", "over/" + node);
  planning->AddImage(name, target.format, target.name.path, node, &effects);
  effects.moves.push_back({node, name});
}

void PlanDriveMirror(const Json& arguments, Planning* planning) {
  const std::string source = SourceOf(arguments, *planning);
  const Target target =
      TargetOf(arguments, "target", FormatOf(source, planning->graph()), planning);
  planning->NeedFile(source);
  if (planning->IsRefused() || target.name.kind != FileName::Kind::kFile) {
    return;
  }
  Tracked& tracked =
      BeginMirror(arguments, source, target.name.path, target.access, target.format, planning);
  const std::string name = StringAt(arguments, "node-name", "mirror/" + JobIdOf(arguments));
  planning->AddImage(name, target.format, target.name.path, "", &tracked.effects);
  tracked.effects.moves.push_back({source, name});
}

void PlanBlockdevMirror(const Json& arguments, Planning* planning) {
  const std::string source = SourceOf(arguments, *planning);
  const std::string target = StringAt(arguments, "target");
  if (planning->graph().FileOf(target).empty()) {
    return;  // to another host, or to a node that QEMU does not know either
  }
  planning->NeedFile(source);
  if (planning->IsRefused()) {
    return;
  }
  Tracked& tracked =
      BeginMirror(arguments, source, planning->graph().FileOf(target),
                  proto::GRANT_ACCESS_READ_WRITE, FormatOf(target, planning->graph()), planning);
  tracked.effects.moves.push_back({source, target});
  ReleaseTarget(target, planning->graph(), &tracked.effects);
}

void PlanDriveBackup(const Json& arguments, Planning* planning) {
  const std::string source = SourceOf(arguments, *planning);
  const Target target =
      TargetOf(arguments, "target", FormatOf(source, planning->graph()), planning);
  if (!planning->IsRefused() && target.name.kind == FileName::Kind::kFile) {
    BeginBackup(arguments, source, target.name.path, target.access, target.format, planning);
  }
}

void PlanBlockdevBackup(const Json& arguments, Planning* planning) {
  const std::string target = planning->NodeOf(StringAt(arguments, "target"));
  const std::string file = planning->graph().FileOf(target);
  if (!file.empty()) {
    BeginBackup(arguments, SourceOf(arguments, *planning), file, proto::GRANT_ACCESS_READ_WRITE,
                FormatOf(target, planning->graph()), planning);
  }
}

void PlanTransaction(const Json& arguments, Planning* planning) {
  const auto actions = arguments.find("actions");
  if (actions == arguments.end() || !actions->is_array()) {
    return;
  }
  for (const Json& action : *actions) {
    for (const Action& known : kActions) {
      if (StringAt(action, "type") == known.type) {
        known.plan(ObjectAt(action, "data"), planning);
      }
    }
  }
}

}  // namespace openhook::relay
