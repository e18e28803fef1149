// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/bochs.h"

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kHeaderBytes = 512;
constexpr std::uint32_t kVersion1 = 0x00010000;
constexpr std::uint32_t kVersion2 = 0x00020000;

// A text of a fixed size, ended by a NUL byte.
std::string_view TextField(std::string_view bytes, std::size_t at, std::size_t size) {
  const std::string_view field = bytes.substr(at, size);
  return field.substr(0, field.find('\0'));
}

}  // namespace

Result<Header> ReadBochs(ByteWindow& window) {
  const auto bytes = window.At(0, kHeaderBytes, "the bochs header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (TextField(*bytes, 0, 32) != kBochsMagic) {
    return NotThisFormat("bochs", bytes->substr(0, kBochsMagic.size()), kBochsMagic);
  }
  if (TextField(*bytes, 32, 16) != "Redolog" || TextField(*bytes, 48, 16) != "Growing") {
    return Fail(ErrorCode::kUnsupported, "it is a bochs image of the kind " +
                                             Quote(TextField(*bytes, 32, 16)) + " " +
                                             Quote(TextField(*bytes, 48, 16)) +
                                             ", and QEMU knows 'Redolog' 'Growing' alone");
  }
  const auto version = LittleEndian<std::uint32_t>(*bytes, 64);
  if (version != kVersion1 && version != kVersion2) {
    return HeaderFault("the bochs version", version, "65536 (1) or 131072 (2)");
  }
  return Header{.format = Format::kBochs,
                .virtual_size = LittleEndian<std::uint64_t>(*bytes, version == kVersion1 ? 84 : 88),
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
