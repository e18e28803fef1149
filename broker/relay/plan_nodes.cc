// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Block nodes come, go and change between reading and writing.

#include <map>

#include "broker/base/limits.h"
#include "broker/relay/planning.h"

namespace openhook::relay {

namespace {

std::string OwnerOf(const std::string& node) { return "node:" + node; }

// A node that opens a file. With auto-read-only it opens for reading, until somebody writes.
void HoldStorage(const std::string& owner, const Node& node, Planning* planning) {
  const bool reading = node.read_only || node.auto_read_only;
  const auto access = reading ? proto::GRANT_ACCESS_READ : proto::GRANT_ACCESS_READ_WRITE;
  if (!planning->IsGiven(node.filename, access)) {
    planning->Hold(owner, node.filename, access);
  }
}

// A node that writes to what it stands on: a storage node with auto-read-only is reopened then.
void HoldWriting(const std::string& owner, const Node& node, const Graph& graph,
                 Planning* planning) {
  const Node* storage = graph.Find(graph.StorageOf(node.file));
  if (storage != nullptr && !node.read_only && !storage->read_only && storage->auto_read_only &&
      !planning->IsGiven(storage->filename, proto::GRANT_ACCESS_READ_WRITE)) {
    planning->Hold(owner, storage->filename, proto::GRANT_ACCESS_READ_WRITE);
  }
}

struct Reopened {
  std::string node;     // the topmost of those that are named
  bool format = false;  // it stands on another
  bool writing = false;
};

// What a reopen asks of each file: a storage node and the format node on it are one disk.
std::map<std::string, Reopened> ReopenedFiles(const Json& options, Planning* planning) {
  std::map<std::string, Reopened> files;
  for (const Json& option : options) {
    const std::string name = StringAt(option, "node-name");
    const Node* node = planning->graph().Find(name);
    const std::string file = planning->NeedFile(name);
    if (node == nullptr || file.empty()) {
      return {};
    }
    Node changed = *node;
    changed.read_only = BoolAt(option, "read-only", false);
    planning->plan.effects.nodes[name] = changed;
    const bool format = node->filename.empty();
    Reopened& reopened = files[file];
    if (format || !reopened.format) {
      reopened = {name, format, !changed.read_only};
    }
  }
  return files;
}

// A disk that no record has: what was held for the node is exchanged.
void ReopenUnrecorded(const std::string& file, const Reopened& reopened, Planning* planning) {
  const Node* storage = planning->graph().Find(planning->graph().StorageOf(reopened.node));
  planning->plan.effects.released.push_back(OwnerOf(reopened.node));
  if (reopened.writing) {
    planning->Hold(OwnerOf(reopened.node), file, proto::GRANT_ACCESS_READ_WRITE);
  } else if (storage != nullptr && !storage->auto_read_only) {
    planning->Hold(OwnerOf(reopened.node), file, proto::GRANT_ACCESS_READ);
  }
}

}  // namespace

void PlanBlockdevAdd(const Json& arguments, Planning* planning) {
  const Described described = DescribeNodes(arguments, planning->state().cwd, "");
  if (described.top.empty()) {
    return;  // QEMU says itself that a node needs a name
  }
  if (planning->graph().IsFull()) {
    planning->Refuse("this VM has " + std::to_string(limits::kMaxMonitorNodes) +
                     " block nodes, and openhook follows no more");
    return;
  }
  Graph with = planning->graph();
  with.Insert(described.nodes);
  for (const auto& [name, node] : described.nodes) {
    if (!node.filename.empty()) {
      HoldStorage(OwnerOf(described.top), node, planning);
    } else {
      HoldWriting(OwnerOf(described.top), node, with, planning);
    }
  }
  planning->plan.effects.nodes = described.nodes;
}

void PlanBlockdevDel(const Json& arguments, Planning* planning) {
  const std::string name = StringAt(arguments, "node-name");
  Effects& effects = planning->plan.effects;
  effects.gone.push_back(name);
  effects.released.push_back(OwnerOf(name));
  planning->plan.watched = planning->graph().FileOf(name);
  planning->plan.sign = Sign::kNotHeld;
  for (const auto& [root, node] : planning->state().roots) {
    if (node == name && root.starts_with("lease:")) {
      effects.revokes.push_back(root.substr(6));
      effects.bare.push_back(root);
    }
  }
}

void PlanReopen(const Json& arguments, Planning* planning) {
  const auto found = arguments.find("options");
  if (found == arguments.end() || !found->is_array()) {
    return;
  }
  for (const auto& [file, reopened] : ReopenedFiles(*found, planning)) {
    if (planning->ChainWith(file) == nullptr) {
      ReopenUnrecorded(file, reopened, planning);
      continue;
    }
    auto& job =
        planning->Begin(proto::JOB_KIND_REOPEN, reopened.node, file,
                        reopened.writing ? Sign::kHeldForWriting : Sign::kNotHeldForWriting);
    job.set_disk(file);
    job.set_top(file);
    job.set_write(reopened.writing);
    planning->EndWithCommand();
  }
}

}  // namespace openhook::relay
