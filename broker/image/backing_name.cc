// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/backing_name.h"

#include <algorithm>
#include <array>

#include "broker/base/text.h"
#include "broker/image/json_name.h"

namespace openhook::image {

namespace {

// A protocol is also the name of the json: driver, up to "+transport".
constexpr std::array<std::string_view, 10> kNetworkDrivers = {
    "nbd", "rbd", "iscsi", "iser", "ssh", "gluster", "nfs", "http", "https", "ftp"};

// Protocols of QEMU that lead to files or devices of this host in other ways than by a path.
constexpr std::array<std::string_view, 6> kLocalDrivers = {"fat",       "nvme",    "blkdebug",
                                                           "blkverify", "null-co", "null-aio"};

// These take the path behind the colon as it stands.
constexpr std::array<std::string_view, 3> kFileProtocols = {"file", "host_device", "host_cdrom"};

template <class List>
bool IsOneOf(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// The protocol of `name`: what is before a colon that comes before any slash.
std::optional<std::string_view> Protocol(std::string_view name) {
  const std::size_t end = name.find_first_of(":/");
  if (end == std::string_view::npos || name[end] != ':') {
    return std::nullopt;
  }
  return name.substr(0, end);
}

// The directory part of a spelling, with its slash; empty when there is none.
std::string_view Directory(std::string_view spelling) {
  return spelling.substr(0, spelling.rfind('/') + 1);
}

Result<Target> ParseFileProtocol(std::string_view path, std::string_view whole) {
  if (path.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the name " + Quote(whole) + " has nothing behind its colon");
  }
  // QEMU does the same, lest the rest be taken for a protocol again.
  return PlainFile((Protocol(path) ? "./" : "") + std::string(path));
}

Result<Target> ParseProtocol(std::string_view protocol, std::string_view name) {
  if (IsOneOf(kFileProtocols, protocol)) {
    return ParseFileProtocol(name.substr(protocol.size() + 1), name);
  }
  if (IsNetworkDriver(protocol)) {
    return Target{.kind = TargetKind::kNetwork,
                  .name = std::string(name),
                  .relative_to = RelativeTo::kNothing};
  }
  if (IsOneOf(kLocalDrivers, protocol)) {
    return Fail(ErrorCode::kUnsupported, "the name " + Quote(name) + " uses QEMU's driver " +
                                             Quote(protocol) +
                                             ", whose files cannot be followed; use a plain file");
  }
  return Fail(ErrorCode::kUnsupported,
              "the name " + Quote(name) + " begins with the unknown protocol " + Quote(protocol) +
                  "; if it is a file name with a colon, write " + Quote("./" + std::string(name)));
}

Result<void> CheckUsable(std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "the name " + Quote(name) + " is empty or has a NUL byte");
  }
  return {};
}

}  // namespace

bool IsNetworkDriver(std::string_view name) {
  return IsOneOf(kNetworkDrivers, name.substr(0, name.find('+'))) || name == "ftps";
}

Target PlainFile(std::string path) {
  const RelativeTo relative_to =
      path.starts_with('/') ? RelativeTo::kNothing : RelativeTo::kWorkingDirectory;
  return Target{.kind = TargetKind::kFile, .name = std::move(path), .relative_to = relative_to};
}

Result<std::vector<BackingLayer>> ParseBackingName(std::string_view name, std::string_view image) {
  if (auto usable = CheckUsable(name); !usable) {
    return tl::make_unexpected(usable.error());
  }
  if (auto usable = CheckUsable(image); !usable) {
    return tl::make_unexpected(usable.error());
  }
  if (name.starts_with(kJsonPrefix)) {
    return ParseJsonName(name);
  }
  BackingLayer layer;
  if (const auto protocol = Protocol(name)) {
    auto target = ParseProtocol(*protocol, name);
    if (!target) {
      return tl::make_unexpected(target.error());
    }
    layer.target = std::move(*target);
  } else if (name.front() == '/') {
    layer.target = PlainFile(std::string(name));
  } else {
    layer.target.name = std::string(Directory(image)) + std::string(name);
    layer.target.relative_to = RelativeTo::kImageDirectory;
  }
  return std::vector<BackingLayer>{std::move(layer)};
}

Result<Target> ParseExtentName(std::string_view name, std::string_view image) {
  for (const std::string_view part : {name, image}) {
    if (auto usable = CheckUsable(part); !usable) {
      return tl::make_unexpected(usable.error());
    }
  }
  if (name.front() == '/') {
    return PlainFile(std::string(name));
  }
  std::string joined = std::string(Directory(image)) + std::string(name);
  if (const auto protocol = Protocol(joined)) {
    return ParseProtocol(*protocol, joined);
  }
  return Target{.kind = TargetKind::kFile,
                .name = std::move(joined),
                .relative_to = RelativeTo::kImageDirectory};
}

Result<Target> ParseDataFileName(std::string_view name) {
  if (auto usable = CheckUsable(name); !usable) {
    return tl::make_unexpected(usable.error());
  }
  if (const auto protocol = Protocol(name)) {
    return Fail(ErrorCode::kUnsupported,
                "the external data file name " + Quote(name) +
                    " begins like a protocol: one QEMU takes it for a file, another for the "
                    "protocol " +
                    Quote(*protocol) +
                    "; store an absolute path with qemu-img amend -o data_file=/PATH");
  }
  return PlainFile(std::string(name));
}

}  // namespace openhook::image
