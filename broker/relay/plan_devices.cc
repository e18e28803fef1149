// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Disks and media come to devices, and leave them.

#include "broker/base/text.h"
#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

enum class Medium : std::uint8_t { kReading, kWriting };

// The files of a chain of nodes, as targets of a job. False when it has none here.
bool AddChain(const std::string& node, Medium medium, const Graph& graph,
              proto::JobBeginRequest* job) {
  std::uint32_t depth = 0;
  for (const std::string& image : graph.ChainOf(node)) {
    const std::string file = graph.FileOf(image);
    if (!file.empty()) {
      const bool writing = depth == 0 && medium == Medium::kWriting;
      AddTarget(job, file, writing ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ,
                graph.Find(image)->driver, depth++);
    }
  }
  job->set_write(medium == Medium::kWriting);
  return depth > 0;
}

// A new disk of the broker, or another medium in one that it knows.
proto::JobBeginRequest& BeginDisk(const std::string& disk, const std::string& watched,
                                  Planning* planning) {
  const bool known = planning->ChainCalled(disk) != nullptr;
  auto& job =
      planning->Begin(known ? proto::JOB_KIND_CHANGE : proto::JOB_KIND_ATTACH, disk, watched);
  job.set_disk(disk);
  if (!known) {
    job.set_lease("device:" + disk);
  }
  return job;
}

// What was held for the nodes alone is the disk's own then.
void ReleaseChain(const std::string& node, Planning* planning) {
  for (const std::string& image : planning->graph().ChainOf(node)) {
    planning->plan.effects.released.push_back("node:" + image);
    planning->plan.effects.released.push_back("node:" + planning->graph().StorageOf(image));
  }
}

void UseNode(const std::string& id, const std::string& node, Planning* planning) {
  const std::string file = planning->graph().FileOf(node);
  planning->plan.effects.roots["qdev:" + id] = node;
  const DiskChain* recorded = planning->ChainWith(file);
  if (file.empty() || (recorded != nullptr && recorded->images.front() == file)) {
    return;  // nothing to open, or a disk that the broker knows
  }
  const bool reading = planning->graph().Find(node)->read_only;
  AddChain(node, reading ? Medium::kReading : Medium::kWriting, planning->graph(),
           &BeginDisk(id, file, planning));
  planning->EndWithCommand();
  ReleaseChain(node, planning);
  planning->plan.effects.roots["lease:device:" + id] = node;
}

std::string DeviceOf(const Json& arguments) {
  return StringAt(arguments, "id", StringAt(arguments, "device"));
}

// The record of what is in a drive now: by its own name, or by the medium.
const DiskChain* RecordOf(const Json& arguments, const Planning& planning) {
  if (const DiskChain* named = planning.ChainCalled(DeviceOf(arguments))) {
    return named;
  }
  const std::string id = StringAt(arguments, "id");
  const std::string node =
      id.empty() ? planning.NodeOf(StringAt(arguments, "device")) : planning.NodeOfDevice(id);
  return planning.ChainWith(planning.graph().FileOf(node));
}

}  // namespace

void PlanDeviceAdd(const Json& arguments, Planning* planning) {
  const std::string node = planning->NodeOf(StringAt(arguments, "drive"));
  if (planning->graph().Find(node) == nullptr) {
    return;  // QEMU says that there is none; one that it made itself was given by somebody else
  }
  UseNode(StringAt(arguments, "id", node), node, planning);
}

void PlanInsertMedium(const Json& arguments, Planning* planning) {
  const std::string node = StringAt(arguments, "node-name");
  if (planning->graph().Find(node) != nullptr) {
    UseNode(DeviceOf(arguments), node, planning);
  }
}

void PlanChangeMedium(const Json& arguments, Planning* planning) {
  const FileName file = ReadFileName(StringAt(arguments, "filename"), planning->state().cwd);
  if (file.kind == FileName::Kind::kUnclear) {
    planning->Refuse("openhook cannot tell which file " + Quote(StringAt(arguments, "filename")) +
                     " names; give its path");
    return;
  }
  if (file.kind == FileName::Kind::kNoFile) {
    return;
  }
  const std::string device = DeviceOf(arguments);
  const DiskChain* record = RecordOf(arguments, *planning);
  const std::string mode = StringAt(arguments, "read-only-mode", "retain");
  const bool writing =
      mode == "read-write" || (mode == "retain" && record != nullptr && record->writable);
  const std::string format = StringAt(arguments, "format", "raw");
  auto& job = BeginDisk(record != nullptr ? record->disk : device, file.path, planning);
  AddTarget(&job, file.path, writing ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ,
            format);
  job.set_write(writing);
  planning->EndWithCommand();
  const std::string node = "medium/" + device;
  planning->AddImage(node, format, file.path, "", &planning->plan.effects);
  const bool by_id = !StringAt(arguments, "id").empty();
  planning->plan.effects.roots[(by_id ? "qdev:" : "drive:") + device] = node;
}

void PlanEject(const Json& arguments, Planning* planning) {
  const DiskChain* record = RecordOf(arguments, *planning);
  if (record == nullptr || record->images.empty()) {
    return;
  }
  planning
      ->Begin(proto::JOB_KIND_CHANGE, DeviceOf(arguments), record->images.front(), Sign::kNotHeld)
      .set_disk(record->disk);
  planning->EndWithCommand();
}

}  // namespace openhook::relay
