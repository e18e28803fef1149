// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which block node is which file, as the manager and QEMU's command line have said. Nothing that
// QEMU says ever comes in here. Pure data.

#ifndef BROKER_RELAY_GRAPH_H_
#define BROKER_RELAY_GRAPH_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "broker/relay/json.h"

namespace openhook::relay {

struct Node {
  std::string driver;
  std::string filename;  // of a node that opens a file by itself; absolute
  std::string file;      // the node that it stands on
  std::string backing;
  bool read_only = false;
  bool auto_read_only = false;  // opened for reading until somebody writes
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Node, driver, filename, file, backing, read_only, auto_read_only)
};

using Nodes = std::map<std::string, Node>;

std::string AbsoluteName(const std::string& name, const std::string& cwd);

// What a file name in a command means to QEMU.
struct FileName {
  enum class Kind : std::uint8_t { kFile, kNoFile, kUnclear };
  Kind kind = Kind::kFile;
  std::string path;  // absolute
};
// `cwd` is QEMU's. A name with a protocol is no file, but for "file:"; a "json:" one is unclear.
FileName ReadFileName(const std::string& name, const std::string& cwd);

// The nodes that one description makes, with those that are described within it; these are filed
// under "OWNER/KEY", which is no name that QEMU takes.
struct Described {
  std::string top;
  Nodes nodes;
};
Described DescribeNodes(const Json& options, const std::string& cwd,
                        const std::string& name_of_top);

class Graph {
 public:
  [[nodiscard]] const Node* Find(const std::string& name) const;
  // The node that opens the file under `name`, itself or further down; empty where there is none.
  [[nodiscard]] std::string StorageOf(const std::string& name) const;
  // Its file; empty where there is none.
  [[nodiscard]] std::string FileOf(const std::string& name) const;
  // `name` and what is behind it, as far as it was described.
  [[nodiscard]] std::vector<std::string> ChainOf(const std::string& name) const;

  [[nodiscard]] bool IsFull() const;
  void Insert(const Nodes& nodes);
  // With what was described within it.
  void Erase(const std::string& name);

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Graph, nodes_)

 private:
  Nodes nodes_;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_GRAPH_H_
