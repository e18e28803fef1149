// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/image_header.h"

#include <algorithm>
#include <iterator>

#include "broker/base/text.h"

namespace openhook::image {

namespace {

struct NamedFormat {
  Format format;
  std::string_view name;  // of QEMU's driver
};

constexpr NamedFormat kFormats[] = {
    {Format::kRaw, "raw"},   {Format::kQcow2, "qcow2"}, {Format::kQed, "qed"},
    {Format::kQcow, "qcow"}, {Format::kVmdk, "vmdk"},   {Format::kVhdx, "vhdx"},
    {Format::kVpc, "vpc"},   {Format::kVdi, "vdi"},     {Format::kParallels, "parallels"},
    {Format::kLuks, "luks"}, {Format::kBochs, "bochs"}, {Format::kCloop, "cloop"},
    {Format::kDmg, "dmg"},
};

}  // namespace

std::string_view ToString(Format format) {
  const auto* const found =
      std::find_if(std::begin(kFormats), std::end(kFormats),
                   [&](const NamedFormat& named) { return named.format == format; });
  return found == std::end(kFormats) ? "unknown" : found->name;
}

std::string FormatNames() {
  std::string names;
  for (const NamedFormat& named : kFormats) {
    names += (names.empty() ? "" : ", ") + std::string(named.name);
  }
  return names;
}

Result<Format> ParseFormat(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kFormats), std::end(kFormats),
                   [&](const NamedFormat& named) { return named.name == name; });
  if (found != std::end(kFormats)) {
    return found->format;
  }
  if (name == "file" || name == "host_device" || name == "host_cdrom") {
    return Format::kRaw;
  }
  return Fail(ErrorCode::kUnsupported, "the image format " + Quote(name) +
                                           " cannot be followed (known: " + FormatNames() +
                                           "); convert the image with qemu-img convert -O qcow2");
}

}  // namespace openhook::image
