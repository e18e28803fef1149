// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/json_name.h"

#include <charconv>
#include <cstdint>
#include <memory>
#include <string>

#include "broker/base/text.h"
#include "broker/image/flat_json.h"

namespace openhook::image {

namespace {

bool IsFileDriver(std::string_view driver) {
  return driver == "file" || driver == "host_device" || driver == "host_cdrom";
}

// Drivers that hand on what is in their "file" and have no other files.
bool IsFilter(std::string_view driver) {
  return driver == "throttle" || driver == "copy-on-read" || driver == "preallocate" ||
         driver == "compress";
}

enum class Kind : std::uint8_t { kUnsaid, kProtocol, kRaw, kFilter, kFormat, kForeign };

Kind KindOf(const std::optional<std::string>& driver) {
  if (!driver) {
    return Kind::kUnsaid;
  }
  if (IsFileDriver(*driver) || IsNetworkDriver(*driver)) {
    return Kind::kProtocol;
  }
  if (*driver == "raw") {
    return Kind::kRaw;
  }
  if (IsFilter(*driver)) {
    return Kind::kFilter;
  }
  return ParseFormat(*driver) ? Kind::kFormat : Kind::kForeign;
}

// "1M" and the like: digits and a suffix that multiplies them. QEMU takes fractions and hexadecimal
// numbers too, which nobody writes.
std::optional<std::uint64_t> ParseSize(std::string_view text) {
  constexpr std::string_view kSuffixes = "bkmgtpe";
  std::uint64_t number = 0;
  const char* const end = std::to_address(text.end());
  const auto [stopped, error] = std::from_chars(std::to_address(text.begin()), end, number);
  if (error != std::errc() || end - stopped > 1) {
    return std::nullopt;
  }
  if (stopped == end) {
    return number;
  }
  const char suffix =
      *stopped >= 'A' && *stopped <= 'Z' ? static_cast<char>(*stopped | 0x20) : *stopped;
  const std::size_t power = kSuffixes.find(suffix);
  if (power == std::string_view::npos || number > UINT64_MAX >> (10 * power)) {
    return std::nullopt;
  }
  return number << (10 * power);
}

// Reads nodes out of the flattened options. A node is named by the prefix of its keys: "" for the
// whole description, "file." for what lies below a format, "backing." for the next layer.
//
// A layer is, from above: any number of wrappers (filters, and raw drivers that show a part of what
// a format makes of its file), one format, any number of filters and raw drivers over the bytes of
// the file, and the file. Each part may be missing but the last.
class JsonNodes {
 public:
  JsonNodes(FlatJson options, std::string_view whole)
      : options_(std::move(options)), whole_(whole) {}

  Result<std::vector<BackingLayer>> Layers() const {
    std::vector<BackingLayer> layers;
    std::string prefix;
    do {
      auto layer = Layer(prefix);  // leaves the prefix of the node that has a backing file
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
    if (KindOf(*driver) != Kind::kUnsaid && KindOf(*driver) != Kind::kProtocol) {
      return RefuseDriver(**driver);
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

  tl::unexpected<Error> RefuseDriver(const std::string& driver) const {
    return KindOf(driver) == Kind::kFormat || KindOf(driver) == Kind::kRaw
               ? Refuse(ErrorCode::kUnsupported,
                        "puts the format driver " + Quote(driver) + " below another format driver")
               : Refuse(ErrorCode::kUnsupported,
                        "uses the driver " + Quote(driver) + ", which cannot be followed");
  }

  // Goes from a filter or a raw driver to what is in its "file".
  Result<void> Descend(std::string& prefix, Kind kind) const {
    if (auto reference = RefuseReference(prefix + "file"); !reference) {
      return reference;
    }
    prefix += "file.";
    // Below a filter QEMU would guess the format.
    if (kind == Kind::kFilter && !options_.contains(prefix + "driver")) {
      return Refuse(ErrorCode::kUnsupported, "has a filter over something undeclared: it has no " +
                                                 Quote(prefix + "driver"));
    }
    return {};
  }

  // Whether a raw driver or a filter at `prefix`, and all that are below it, stand over a format.
  [[nodiscard]] bool LeadsToFormat(std::string prefix) const {
    for (;; prefix += "file.") {
      const auto driver = Text(prefix + "driver");
      const Kind kind = driver ? KindOf(*driver) : Kind::kForeign;
      if (kind != Kind::kRaw && kind != Kind::kFilter) {
        return kind == Kind::kFormat;
      }
    }
  }

  // Passes the wrappers at `prefix`, and yields the driver that is behind them.
  Result<MaybeText> SkipWrappers(std::string& prefix, std::string& outermost) const {
    for (;;) {
      auto driver = Text(prefix + "driver");
      if (!driver) {
        return driver;
      }
      const Kind kind = KindOf(*driver);
      if (kind == Kind::kForeign) {
        return RefuseDriver(**driver);
      }
      if (kind != Kind::kFilter && (kind != Kind::kRaw || !LeadsToFormat(prefix))) {
        return driver;
      }
      for (const char* child : {"backing", "data-file"}) {
        if (options_.contains(prefix + child) || HasNode(prefix + child + ".")) {
          return Refuse(ErrorCode::kUnsupported, "gives " + Quote(prefix + child) +
                                                     " to the driver " + Quote(**driver) +
                                                     ", which has none");
        }
      }
      outermost = outermost.empty() ? **driver : outermost;
      if (auto descended = Descend(prefix, kind); !descended) {
        return tl::make_unexpected(descended.error());
      }
    }
  }

  // Passes what stands between a format and its file, and notes the part of the file.
  Result<Target> Storage(std::string prefix, Slice& slice) const {
    for (;;) {
      const auto driver = Text(prefix + "driver");
      if (!driver) {
        return tl::make_unexpected(driver.error());
      }
      const Kind kind = KindOf(*driver);
      if (kind != Kind::kFilter && kind != Kind::kRaw) {
        return ProtocolNode(prefix);
      }
      if (kind == Kind::kRaw) {
        if (auto cut = Cut(prefix, slice); !cut) {
          return tl::make_unexpected(cut.error());
        }
      }
      if (auto descended = Descend(prefix, kind); !descended) {
        return tl::make_unexpected(descended.error());
      }
    }
  }

  // Applies the offset and the size of a raw driver.
  Result<void> Cut(const std::string& prefix, Slice& slice) const {
    const auto begin = Size(prefix + "offset", 0);
    const auto size = Size(prefix + "size", UINT64_MAX);
    if (!begin || !size) {
      return tl::make_unexpected(begin ? size.error() : begin.error());
    }
    const Slice part{.begin = *begin, .size = *size};
    if (!part.IsWhole() && !slice.IsWhole()) {
      return Refuse(ErrorCode::kUnsupported, "takes a part of a part of a file");
    }
    slice = part.IsWhole() ? slice : part;
    return {};
  }

  Result<std::uint64_t> Size(const std::string& key, std::uint64_t absent) const {
    const auto found = options_.find(key);
    if (found == options_.end()) {
      return absent;
    }
    if (const auto* number = std::get_if<std::uint64_t>(&found->second)) {
      return *number;
    }
    const auto* text = std::get_if<std::string>(&found->second);
    const auto size = text == nullptr ? std::nullopt : ParseSize(*text);
    return size ? Result<std::uint64_t>(*size)
                : Refuse(ErrorCode::kInvalidArgument,
                         "gives " + Quote(key) + " as something else than a number of bytes");
  }

  Result<BackingLayer> Layer(std::string& prefix) const {
    BackingLayer layer;
    const auto driver = SkipWrappers(prefix, layer.wrapper);
    if (!driver) {
      return tl::make_unexpected(driver.error());
    }
    const bool is_protocol = KindOf(*driver) == Kind::kProtocol;
    if (*driver) {
      layer.format = is_protocol ? Format::kRaw : ParseFormat(**driver).value();
    }
    if (HasNode(prefix + "extents.")) {
      return Refuse(ErrorCode::kUnsupported,
                    "describes extents by " + Quote(prefix + "extents") +
                        "; only those that the image's descriptor names can be followed");
    }
    if (auto reference = RefuseReference(prefix + "file"); !reference) {
      return tl::make_unexpected(reference.error());
    }
    auto target = Storage(is_protocol ? prefix : prefix + "file.", layer.slice);
    if (!target) {
      return tl::make_unexpected(target.error());
    }
    layer.target = std::move(*target);
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
