// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/luks.h"

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kHeaderBytes = 592;
constexpr std::uint16_t kVersion = 1;

}  // namespace

Result<Header> ReadLuks(ByteWindow& window) {
  const auto bytes = window.At(0, kHeaderBytes, "the luks header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (!bytes->starts_with(kLuksMagic)) {
    return NotThisFormat("luks", bytes->substr(0, kLuksMagic.size()), kLuksMagic);
  }
  if (const auto version = BigEndian<std::uint16_t>(*bytes, kLuksMagic.size());
      version != kVersion) {
    return HeaderFault("the luks version", version, "1, which is all that QEMU knows");
  }
  return Header{.format = Format::kLuks,
                .virtual_size = std::nullopt,
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
