// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/parallels.h"

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kHeaderBytes = 64;
constexpr std::uint32_t kVersion = 2;
constexpr std::uint64_t kSectorBytes = 512;

}  // namespace

Result<Header> ReadParallels(ByteWindow& window) {
  const auto bytes = window.At(0, kHeaderBytes, "the parallels header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  const bool is_extended = bytes->starts_with(kParallelsExtMagic);
  if (!is_extended && !bytes->starts_with(kParallelsMagic)) {
    return NotThisFormat("parallels", bytes->substr(0, kParallelsMagic.size()), kParallelsMagic);
  }
  if (const auto version = LittleEndian<std::uint32_t>(*bytes, 16); version != kVersion) {
    return HeaderFault("the parallels version", version, "2");
  }
  // The older magic has 32 bits of them.
  const std::uint64_t sectors = is_extended ? LittleEndian<std::uint64_t>(*bytes, 36)
                                            : LittleEndian<std::uint32_t>(*bytes, 36);
  return Header{.format = Format::kParallels,
                .virtual_size = sectors * kSectorBytes,
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
