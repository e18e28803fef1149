// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/cloop.h"

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kBlockSizeAt = 128;
constexpr std::uint32_t kSectorBytes = 512;
constexpr std::uint32_t kMaxBlock = 64U << 20;

}  // namespace

// QEMU does not insist on the script of an image that is declared, so neither does this.
Result<Header> ReadCloop(ByteWindow& window) {
  const auto bytes = window.At(kBlockSizeAt, 8, "the cloop header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  const auto block = BigEndian<std::uint32_t>(*bytes, 0);
  if (block == 0 || block % kSectorBytes != 0 || block > kMaxBlock) {
    return HeaderFault("the cloop block size", block, "a multiple of 512, at most 67108864");
  }
  return Header{.format = Format::kCloop,
                .virtual_size = std::uint64_t{block} * BigEndian<std::uint32_t>(*bytes, 4),
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
