// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/command_line.h"

#include <string_view>

namespace openhook::relay {

namespace {

// QEMU's key=value,key=value; a doubled comma is a comma (qemu-options, "-blockdev").
std::vector<std::string> SplitOptions(const std::string& text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      parts.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      parts.back() += text[i++];
    } else {
      parts.emplace_back();
    }
  }
  return parts;
}

Json ValueOf(const std::string& key, const std::string& word) {
  const bool flag = key.ends_with("read-only") || key.ends_with("readonly");
  return flag ? Json(word == "on") : Json(word);
}

// file.filename=X is {"file": {"filename": X}}.
Json FromKeyValue(const std::string& text) {
  Json object = Json::object();
  for (const std::string& part : SplitOptions(text)) {
    const std::size_t equals = part.find('=');
    const std::string key = part.substr(0, equals);
    Json* at = &object;
    std::size_t begin = 0;
    for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', begin)) {
      Json& inner = (*at)[key.substr(begin, dot - begin)];
      inner = inner.is_object() ? inner : Json::object();
      at = &inner;
      begin = dot + 1;
    }
    (*at)[key.substr(begin)] =
        ValueOf(key, equals == std::string::npos ? "on" : part.substr(equals + 1));
  }
  return object;
}

Json OptionsOf(const std::string& text) {
  if (!text.starts_with('{')) {
    return FromKeyValue(text);
  }
  auto parsed = ParseStrict(text);
  return parsed ? std::move(*parsed) : Json::object();
}

void AddBlockdev(const std::string& text, const std::string& cwd, State* state) {
  const Json options = OptionsOf(text);
  if (!StringAt(options, "node-name").empty()) {
    state->graph.Insert(DescribeNodes(options, cwd, "").nodes);
  }
}

// A drive of the old kind: the name of the device backend, and a node behind it.
void AddDrive(const std::string& text, const std::string& cwd, State* state) {
  Json options = OptionsOf(text);
  const std::string id = StringAt(options, "id");
  const FileName file = ReadFileName(StringAt(options, "file"), cwd);
  if (id.empty() || file.kind == FileName::Kind::kNoFile) {
    return;
  }
  if (file.kind == FileName::Kind::kFile) {
    options["file"] = {{"driver", "file"}, {"filename", file.path}};
  }
  options["driver"] = StringAt(options, "format", StringAt(options, "driver", "raw"));
  options["read-only"] = BoolAt(options, "readonly", BoolAt(options, "read-only", false));
  const Described described = DescribeNodes(options, cwd, "drive/" + id);
  state->graph.Insert(described.nodes);
  state->roots["drive:" + id] = described.top;
}

void AddDevice(const std::string& text, State* state) {
  const Json options = OptionsOf(text);
  const std::string id = StringAt(options, "id");
  const std::string drive = StringAt(options, "drive");
  if (id.empty() || drive.empty()) {
    return;
  }
  const auto backend = state->roots.find("drive:" + drive);
  state->roots["qdev:" + id] = backend == state->roots.end() ? drive : backend->second;
}

}  // namespace

State StateAtStart(const std::vector<std::string>& arguments, const std::string& cwd) {
  State state;
  state.cwd = cwd;
  // QEMU makes its drives before its devices, in whatever order they are written.
  for (const bool devices : {false, true}) {
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
      std::string_view option = arguments[i];
      option.remove_prefix(option.starts_with("--") ? 1 : 0);
      if (!devices && option == "-blockdev") {
        AddBlockdev(arguments[i + 1], cwd, &state);
      } else if (!devices && option == "-drive") {
        AddDrive(arguments[i + 1], cwd, &state);
      } else if (devices && option == "-device") {
        AddDevice(arguments[i + 1], &state);
      }
    }
  }
  return state;
}

}  // namespace openhook::relay
