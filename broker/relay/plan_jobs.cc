// SPDX-License-Identifier: LGPL-2.1-or-later
//
// QEMU's jobs within a chain: commit and stream; and the creation of images.

#include <algorithm>

#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

// The file that a command names by node, or by its name; empty when it names none.
std::string FileNamed(const Json& arguments, const char* node_key, const char* file_key,
                      Planning* planning) {
  const std::string node = StringAt(arguments, node_key);
  return node.empty() ? StringAt(arguments, file_key) : planning->NeedFile(node);
}

// The node within the chain of `top` that has this file.
std::string NodeWith(const std::string& top, const std::string& file, const Graph& graph) {
  for (const std::string& node : graph.ChainOf(top)) {
    if (!file.empty() && graph.FileOf(node) == file) {
      return node;
    }
  }
  return "";
}

// The chain is shorter then: what stood on `from` stands on `to`.
void StandOn(const std::string& top, const std::string& from, const std::string& to,
             const Planning& planning, Effects* effects) {
  effects->moves.push_back({from, to});
  for (const std::string& name : planning.graph().ChainOf(top)) {
    Node node = *planning.graph().Find(name);
    if (node.backing == from) {
      node.backing = to;
      effects->nodes[name] = node;
    }
  }
}

// The image below `file` in the chain that the broker knows; empty where there is none.
std::string Below(const std::string& file, const Planning& planning) {
  const DiskChain* chain = planning.ChainWith(file);
  if (chain == nullptr) {
    return "";
  }
  const auto image = std::find(chain->images.begin(), chain->images.end(), file);
  return image + 1 == chain->images.end() ? "" : *(image + 1);
}

}  // namespace

void PlanCommit(const Json& arguments, Planning* planning) {
  const std::string device = planning->NodeOf(StringAt(arguments, "device"));
  const std::string disk = planning->NeedFile(device);
  const std::string top = FileNamed(arguments, "top-node", "top", planning);
  std::string base = FileNamed(arguments, "base-node", "base", planning);
  const DiskChain* chain = planning->ChainWith(disk);
  if (base.empty() && chain != nullptr) {
    base = chain->images.back();
  }
  if (planning->IsRefused()) {
    return;
  }
  auto& job = planning->Begin(proto::JOB_KIND_COMMIT, JobIdOf(arguments), top.empty() ? disk : top,
                              Sign::kNotHeld);
  job.set_disk(disk);
  job.set_top(top);
  job.set_base(base);
  Tracked& tracked = planning->EndWithJob(JobIdOf(arguments));
  tracked.pivots = top.empty() || top == disk;
  const std::string from = tracked.pivots ? device : NodeWith(device, top, planning->graph());
  const std::string to = NodeWith(device, base, planning->graph());
  if (!from.empty() && !to.empty()) {
    StandOn(device, from, to, *planning, &tracked.effects);
  }
}

void PlanStream(const Json& arguments, Planning* planning) {
  const std::string device = planning->NodeOf(StringAt(arguments, "device"));
  const std::string top = planning->NeedFile(device);
  std::string base = FileNamed(arguments, "base-node", "base", planning);
  if (const std::string bottom = StringAt(arguments, "bottom"); !bottom.empty()) {
    base = Below(planning->NeedFile(bottom), *planning);
  }
  if (planning->IsRefused()) {
    return;
  }
  auto& job = planning->Begin(proto::JOB_KIND_STREAM, JobIdOf(arguments), Below(top, *planning),
                              Sign::kNotHeld);
  job.set_disk(top);
  job.set_top(top);
  job.set_base(base);
  Tracked& tracked = planning->EndWithJob(JobIdOf(arguments));
  Node node = *planning->graph().Find(device);
  node.backing = NodeWith(device, base, planning->graph());
  tracked.effects.nodes[device] = node;
}

void PlanCreate(const Json& arguments, Planning* planning) {
  const Json& options = ObjectAt(arguments, "options");
  const Described described =
      DescribeNodes(options, planning->state().cwd, "created/" + StringAt(arguments, "job-id"));
  const Node& made = described.nodes.at(described.top);
  std::string file = made.filename;
  proto::GrantAccess access = proto::GRANT_ACCESS_CREATE;
  if (file.empty()) {  // a format is written onto a node that is there
    Graph with = planning->graph();
    with.Insert(described.nodes);
    file = with.FileOf(made.file);
    access = proto::GRANT_ACCESS_READ_WRITE;
  }
  if (!file.empty()) {
    AddTarget(&planning->Begin(proto::JOB_KIND_SAVE, JobIdOf(arguments)), file, access, "");
    planning->EndWithJob(JobIdOf(arguments));
  }
}

void PlanJobComplete(const Json& arguments, Planning* planning) {
  planning->plan.completes.push_back(StringAt(arguments, "id", StringAt(arguments, "device")));
}

}  // namespace openhook::relay
