// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/json_name.h"

#include <string>

#include "broker/base/text.h"
#include "broker/image/flat_json.h"

namespace openhook::image {

namespace {

bool IsFileDriver(std::string_view driver) {
  return driver == "file" || driver == "host_device" || driver == "host_cdrom";
}

// Reads nodes out of the flattened options. A node is named by the prefix of its keys: "" for the
// whole description, "file." for what lies below a format, "backing." for the next layer.
class JsonNodes {
 public:
  JsonNodes(FlatJson options, std::string_view whole)
      : options_(std::move(options)), whole_(whole) {}

  Result<std::vector<BackingLayer>> Layers() const {
    std::vector<BackingLayer> layers;
    std::string prefix;
    do {
      auto layer = Layer(prefix);
      if (!layer) {
        return tl::make_unexpected(layer.error());
      }
      layers.push_back(std::move(*layer));
      prefix += "backing.";
    } while (layers.back().below == Below::kNextLayer);
    return layers;
  }

 private:
  using MaybeText = std::optional<std::string>;

  tl::unexpected<Error> Refuse(ErrorCode code, const std::string& why) const {
    return Fail(code, "the name " + Quote(whole_) + " " + why);
  }

  // The string under `key`; absent when there is none. Errors: another type stands there.
  Result<MaybeText> Text(const std::string& key) const {
    const auto found = options_.find(key);
    if (found == options_.end()) {
      return MaybeText{};
    }
    if (const auto* text = std::get_if<std::string>(&found->second)) {
      return MaybeText{*text};
    }
    return Refuse(ErrorCode::kInvalidArgument,
                  "gives " + Quote(key) + " as something else than a string");
  }

  [[nodiscard]] bool HasNode(const std::string& prefix) const {
    const auto first = options_.lower_bound(prefix);
    return first != options_.end() && first->first.starts_with(prefix);
  }

  // A string in place of a node is the name of a node of the running QEMU.
  Result<void> RefuseReference(const std::string& key) const {
    if (options_.contains(key)) {
      return Refuse(ErrorCode::kUnsupported,
                    "refers to another node of a running QEMU by " + Quote(key) +
                        ", which says nothing about files; describe the node in place");
    }
    return {};
  }

  // The node at `prefix`, of a driver that leads to a file or to the network.
  Result<Target> ProtocolNode(const std::string& prefix) const {
    const auto driver = Text(prefix + "driver");
    if (!driver) {
      return tl::make_unexpected(driver.error());
    }
    if (*driver && IsNetworkDriver(**driver)) {
      return Target{.kind = TargetKind::kNetwork,
                    .name = std::string(whole_),
                    .relative_to = RelativeTo::kNothing};
    }
    if (*driver && ParseFormat(**driver) && !IsFileDriver(**driver)) {
      return Refuse(ErrorCode::kUnsupported,
                    "puts the format driver " + Quote(**driver) + " below another format driver");
    }
    if (*driver && !IsFileDriver(**driver)) {
      return Refuse(ErrorCode::kUnsupported,
                    "uses the driver " + Quote(**driver) + ", which cannot be followed");
    }
    const auto path = Text(prefix + "filename");
    if (!path) {
      return tl::make_unexpected(path.error());
    }
    if (!*path || (*path)->empty()) {
      return Refuse(ErrorCode::kInvalidArgument,
                    "names no file: it has no " + Quote(prefix + "filename"));
    }
    return PlainFile(**path);
  }

  // The format that `driver` declares. A protocol driver on its own means the bare bytes.
  Result<std::optional<Format>> DeclaredFormat(const MaybeText& driver) const {
    if (!driver) {
      return std::nullopt;
    }
    if (IsNetworkDriver(*driver)) {
      return Format::kRaw;
    }
    const auto format = ParseFormat(*driver);
    if (!format) {
      return Refuse(ErrorCode::kUnsupported, "uses a driver of its own: " + format.error().context);
    }
    return *format;
  }

  Result<BackingLayer> Layer(const std::string& prefix) const {
    const auto driver = Text(prefix + "driver");
    if (!driver) {
      return tl::make_unexpected(driver.error());
    }
    const auto format = DeclaredFormat(*driver);
    if (!format) {
      return tl::make_unexpected(format.error());
    }
    if (auto reference = RefuseReference(prefix + "file"); !reference) {
      return tl::make_unexpected(reference.error());
    }
    const bool is_protocol = *driver && (IsFileDriver(**driver) || IsNetworkDriver(**driver));
    auto target = ProtocolNode(is_protocol ? prefix : prefix + "file.");
    if (!target) {
      return tl::make_unexpected(target.error());
    }
    BackingLayer layer{.target = std::move(*target), .format = *format, .data_file = std::nullopt};
    if (auto added = AddDataFile(layer, prefix); !added) {
      return tl::make_unexpected(added.error());
    }
    if (auto added = AddBelow(layer, prefix); !added) {
      return tl::make_unexpected(added.error());
    }
    return layer;
  }

  Result<void> AddDataFile(BackingLayer& layer, const std::string& prefix) const {
    if (auto reference = RefuseReference(prefix + "data-file"); !reference) {
      return reference;
    }
    if (!HasNode(prefix + "data-file.")) {
      return {};
    }
    auto data_file = ProtocolNode(prefix + "data-file.");
    if (!data_file) {
      return tl::make_unexpected(data_file.error());
    }
    layer.data_file = std::move(*data_file);
    return {};
  }

  Result<void> AddBelow(BackingLayer& layer, const std::string& prefix) const {
    const auto backing = options_.find(prefix + "backing");
    const bool is_null =
        backing != options_.end() && std::holds_alternative<JsonNull>(backing->second);
    const bool is_node = HasNode(prefix + "backing.");
    if (is_null && is_node) {
      return Refuse(ErrorCode::kInvalidArgument,
                    "describes a backing file and says that there is none");
    }
    if (is_null) {
      layer.below = Below::kNothing;
      return {};
    }
    if (is_node) {
      layer.below = Below::kNextLayer;
    }
    return RefuseReference(prefix + "backing");
  }

  FlatJson options_;
  std::string_view whole_;
};

}  // namespace

Result<std::vector<BackingLayer>> ParseJsonName(std::string_view name) {
  auto options = ParseFlatJson(name.substr(kJsonPrefix.size()));
  if (!options) {
    return Fail(options.error().code,
                "the name " + Quote(name) + " cannot be read: " + options.error().context);
  }
  return JsonNodes(std::move(*options), name).Layers();
}

}  // namespace openhook::image
