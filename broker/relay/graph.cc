// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/graph.h"

#include "broker/base/limits.h"

namespace openhook::relay {

namespace {

// A chain that leads back into itself is QEMU's to refuse; here it only has to end.
constexpr std::size_t kMaxSteps = limits::kMaxChainDepth * 2;

bool OpensAFile(const std::string& driver) {
  return driver == "file" || driver == "host_device" || driver == "host_cdrom";
}

// QEMU's own descriptors (add-fd): nothing is opened.
bool IsDescriptorName(const std::string& path) { return path.starts_with("/dev/fdset/"); }

void Describe(const Json& options, const std::string& cwd, const std::string& name, Nodes* nodes) {
  Node node;
  node.driver = StringAt(options, "driver");
  node.read_only = BoolAt(options, "read-only", false);
  node.auto_read_only = BoolAt(options, "auto-read-only", false);
  if (OpensAFile(node.driver)) {
    const std::string filename = StringAt(options, "filename");
    node.filename =
        filename.empty() || IsDescriptorName(filename) ? "" : AbsoluteName(filename, cwd);
  }
  for (const auto& [key, value] : options.items()) {
    std::string child;
    if (value.is_object() && value.contains("driver")) {
      child = name;
      child += "/";
      child += key;
      Json inner = value;
      // A node within a description takes these over where it does not say them itself.
      for (const char* inherited : {"read-only", "auto-read-only"}) {
        if (!inner.contains(inherited) && options.contains(inherited) && key == "file") {
          inner[inherited] = options[inherited];
        }
      }
      child = StringAt(value, "node-name", child);
      Describe(inner, cwd, child, nodes);
    } else if (value.is_string()) {
      child = value.get<std::string>();
    }
    if (key == "file") {
      node.file = child;
    } else if (key == "backing") {
      node.backing = child;
    }
  }
  (*nodes)[name] = std::move(node);
}

}  // namespace

std::string AbsoluteName(const std::string& name, const std::string& cwd) {
  return name.starts_with('/') ? name : (cwd == "/" ? "/" : cwd + "/") + name;
}

FileName ReadFileName(const std::string& name, const std::string& cwd) {
  const std::size_t colon = name.find(':');
  if (name.empty() || name.starts_with("json:")) {
    return {FileName::Kind::kUnclear, ""};
  }
  if (colon != std::string::npos && colon < name.find('/')) {
    return name.starts_with("file:")
               ? FileName{FileName::Kind::kFile, AbsoluteName(name.substr(5), cwd)}
               : FileName{FileName::Kind::kNoFile, ""};
  }
  if (IsDescriptorName(name)) {
    return {FileName::Kind::kNoFile, ""};
  }
  return {FileName::Kind::kFile, AbsoluteName(name, cwd)};
}

Described DescribeNodes(const Json& options, const std::string& cwd,
                        const std::string& name_of_top) {
  Described described;
  described.top = StringAt(options, "node-name", name_of_top);
  Describe(options, cwd, described.top, &described.nodes);
  return described;
}

const Node* Graph::Find(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::string Graph::StorageOf(const std::string& name) const {
  std::string at = name;
  for (std::size_t step = 0; step < kMaxSteps; ++step) {
    const Node* node = Find(at);
    if (node == nullptr || !node->filename.empty()) {
      return node == nullptr ? "" : at;
    }
    at = node->file;
  }
  return "";
}

std::string Graph::FileOf(const std::string& name) const {
  const Node* storage = Find(StorageOf(name));
  return storage == nullptr ? "" : storage->filename;
}

std::vector<std::string> Graph::ChainOf(const std::string& name) const {
  std::vector<std::string> chain;
  std::string at = name;
  for (const Node* node = Find(at); node != nullptr && chain.size() < limits::kMaxChainDepth;
       node = Find(at)) {
    chain.push_back(at);
    at = node->backing;
  }
  return chain;
}

bool Graph::IsFull() const { return nodes_.size() >= limits::kMaxMonitorNodes; }

void Graph::Insert(const Nodes& nodes) {
  for (const auto& [name, node] : nodes) {
    nodes_.insert_or_assign(name, node);
  }
}

void Graph::Erase(const std::string& name) {
  std::erase_if(nodes_, [&](const auto& entry) {
    return entry.first == name || entry.first.starts_with(name + "/");
  });
}

}  // namespace openhook::relay
