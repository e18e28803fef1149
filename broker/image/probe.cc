// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/probe.h"

#include <string>

#include "broker/image/bochs.h"
#include "broker/image/cloop.h"
#include "broker/image/dmg.h"
#include "broker/image/luks.h"
#include "broker/image/parallels.h"
#include "broker/image/qcow.h"
#include "broker/image/qcow2.h"
#include "broker/image/qed.h"
#include "broker/image/vdi.h"
#include "broker/image/vhdx.h"
#include "broker/image/vmdk.h"
#include "broker/image/vmdk_descriptor.h"
#include "broker/image/vpc.h"

namespace openhook::image {

namespace {

struct Magic {
  Format format;
  std::size_t offset;
  std::string_view bytes;
};

// What QEMU's probes look for (bdrv_probe in block/*.c), without the versions and sizes that some
// of them check too: an image of a version that QEMU does not know is better refused than taken for
// raw. cloop is QEMU's weakest guess by content, the others are all of the same weight.
constexpr Magic kMagics[] = {
    {Format::kQcow2, 0, kQcow2Magic},
    {Format::kQed, 0, kQedMagic},
    {Format::kVmdk, 0, kVmdkSparseMagic},
    {Format::kVmdk, 0, kVmdkCowdMagic},
    {Format::kVhdx, 0, kVhdxMagic},
    {Format::kVpc, 0, kVpcMagic},
    {Format::kVdi, kVdiMagicAt, kVdiMagic},
    {Format::kParallels, 0, kParallelsMagic},
    {Format::kParallels, 0, kParallelsExtMagic},
    {Format::kLuks, 0, kLuksMagic},
    {Format::kBochs, 0, kBochsMagic},
    {Format::kCloop, 0, kCloopMagic},
};

// QEMU's BLOCK_PROBE_BUF_SIZE.
constexpr std::size_t kProbedBytes = 512;

bool Shows(std::string_view start, const Magic& magic) {
  return start.size() >= magic.offset && start.substr(magic.offset).starts_with(magic.bytes);
}

Result<void> Note(std::optional<Format>& found, Format format) {
  if (found && *found != format) {
    return Fail(ErrorCode::kUnsupported,
                "its first bytes look like the format " + std::string(ToString(*found)) +
                    " and like " + std::string(ToString(format)) + "; declare it with --format");
  }
  found = format;
  return {};
}

// Both versions of the format begin alike.
Format Refine(Format format, std::string_view start) {
  return format == Format::kQcow2 && start.starts_with(kQcowMagic) ? Format::kQcow : format;
}

}  // namespace

Result<Format> ProbeFormat(ByteWindow& window, std::string_view name) {
  const auto start = window.Prefix(kProbedBytes);
  if (!start) {
    return tl::make_unexpected(start.error());
  }
  std::optional<Format> found;
  for (const Magic& magic : kMagics) {
    if (!Shows(*start, magic)) {
      continue;
    }
    if (auto noted = Note(found, Refine(magic.format, *start)); !noted) {
      return tl::make_unexpected(noted.error());
    }
  }
  if (LooksLikeVmdkDescriptor(*start)) {
    if (auto noted = Note(found, Format::kVmdk); !noted) {
      return tl::make_unexpected(noted.error());
    }
  }
  // As in QEMU, the name counts when it is more than the suffix, and an empty file is raw.
  const bool is_named_dmg = name.size() > kDmgSuffix.size() && name.ends_with(kDmgSuffix);
  return found.value_or(is_named_dmg && !start->empty() ? Format::kDmg : Format::kRaw);
}

Result<Header> ReadHeader(const ByteSource& source, std::optional<Format> declared,
                          std::string_view name) {
  ByteWindow window(source);
  const Result<Format> format = declared ? Result<Format>(*declared) : ProbeFormat(window, name);
  if (!format) {
    return tl::make_unexpected(format.error());
  }
  switch (*format) {
    case Format::kQcow2:
      return ReadQcow2(window);
    case Format::kQed:
      return ReadQed(window);
    case Format::kQcow:
      return ReadQcow(window);
    case Format::kVmdk:
      return ReadVmdk(window);
    case Format::kVhdx:
      return ReadVhdx(window);
    case Format::kVpc:
      return ReadVpc(window);
    case Format::kVdi:
      return ReadVdi(window);
    case Format::kParallels:
      return ReadParallels(window);
    case Format::kLuks:
      return ReadLuks(window);
    case Format::kBochs:
      return ReadBochs(window);
    case Format::kCloop:
      return ReadCloop(window);
    case Format::kDmg:
      return ReadDmg(window);
    case Format::kRaw:
      break;
  }
  return Header{};  // raw: bare bytes, which name no other file
}

Result<void> CheckExtent(const ByteSource& source, Format format) {
  if (format != Format::kVmdk) {
    return {};  // bare bytes
  }
  ByteWindow window(source);
  return CheckVmdkExtent(window);
}

}  // namespace openhook::image
