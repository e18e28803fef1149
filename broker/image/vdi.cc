// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/vdi.h"

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kHeaderBytes = 512;
constexpr std::uint32_t kVersion = 0x00010001;
constexpr std::size_t kUuidBytes = 16;
// Of the image that it is laid over, and of the state of that one. Both are zero without a parent.
constexpr std::size_t kLinkAt = 0x1a8;
constexpr std::size_t kParentAt = 0x1b8;

bool IsZero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {kDigits[byte >> 4], kDigits[byte & 0xf]};
  }
  return text;
}

}  // namespace

Result<Header> ReadVdi(ByteWindow& window) {
  const auto bytes = window.At(0, kHeaderBytes, "the vdi header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (!bytes->substr(kVdiMagicAt).starts_with(kVdiMagic)) {
    return Fail(ErrorCode::kCorrupt, "it is not a vdi image: its byte 64 is followed by " +
                                         Quote(bytes->substr(kVdiMagicAt, kVdiMagic.size())) +
                                         " instead of " + Quote(kVdiMagic));
  }
  if (const auto version = LittleEndian<std::uint32_t>(*bytes, 0x44); version != kVersion) {
    return HeaderFault("the vdi version", version, "65537 (1.1)");
  }
  const std::string_view link = bytes->substr(kLinkAt, kUuidBytes);
  const std::string_view parent = bytes->substr(kParentAt, kUuidBytes);
  if (!IsZero(link) || !IsZero(parent)) {
    return UnusableParent("vdi", "the image of the UUID bytes " +
                                     Hex(IsZero(link) ? parent : link) + " in VirtualBox");
  }
  return Header{.format = Format::kVdi,
                .virtual_size = LittleEndian<std::uint64_t>(*bytes, 0x170),
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
