// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a name in an image header means, read as QEMU reads it:
//   /abs/path          that file
//   name, ./a:b        beside the image: the directory part of the image's own spelling, then the
//                      name, not canonicalised. QEMU opens exactly this spelling, so it is kept
//   file:PATH          PATH; a relative one is relative to the working directory, not the image
//   json:{...}         a description of the image (json_name.h)
//   nbd:..., ssh://..  on the network: named, never opened
// A colon before the first slash makes a protocol. Pure text work; nothing is looked up.

#ifndef BROKER_IMAGE_BACKING_NAME_H_
#define BROKER_IMAGE_BACKING_NAME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/image/image_header.h"

namespace openhook::image {

enum class TargetKind : std::uint8_t { kFile, kNetwork };

// Where a relative name begins.
enum class RelativeTo : std::uint8_t { kNothing, kImageDirectory, kWorkingDirectory };

struct Target {
  TargetKind kind = TargetKind::kFile;
  std::string name;  // a file as QEMU spells it when it opens it, or the name of a network image
  RelativeTo relative_to = RelativeTo::kNothing;
};

// What says which backing file the layer itself has.
enum class Below : std::uint8_t {
  kAsItsHeaderSays,
  kNothing,    // json: "backing": null
  kNextLayer,  // json: "backing": {...}
};

// The part of the file in which the image lies: all of it, unless a json: name says otherwise.
struct Slice {
  std::uint64_t begin = 0;
  std::uint64_t size = UINT64_MAX;

  [[nodiscard]] bool IsWhole() const { return begin == 0 && size == UINT64_MAX; }
};

struct BackingLayer {
  Target target;
  std::optional<Format> format;  // declared by a json: name
  Slice slice = {};
  // The driver that a json: name puts over the image without changing which files it has.
  std::string wrapper;
  std::optional<Target> data_file;  // given by a json: name instead of the header's
  Below below = Below::kAsItsHeaderSays;
};

// The layers that the backing file name `name` of the image spelled `image` describes: one, and
// more only for a json: name that also describes what is below.
// Errors: kInvalidArgument for a name that says nothing, kUnsupported for one that QEMU may
// understand and that cannot be followed.
Result<std::vector<BackingLayer>> ParseBackingName(std::string_view name, std::string_view image);

// The file of an extent, as the descriptor of the image spelled `image` names it: beside the image
// unless it is absolute. The two are joined before a protocol is looked for, as QEMU does it.
Result<Target> ParseExtentName(std::string_view name, std::string_view image);

// An external data file name. QEMU takes it for a path, relative to the working directory; QEMU
// before 2024 (CVE-2024-4467) also understood protocols in it, so such names are refused.
Result<Target> ParseDataFileName(std::string_view name);

// True for the protocols and json: drivers that lead to another host.
bool IsNetworkDriver(std::string_view name);

// A file target for a path that is not relative to any image.
Target PlainFile(std::string path);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_BACKING_NAME_H_
