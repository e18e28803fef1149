// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/dmg.h"

#include <algorithm>

#include "broker/image/header_fault.h"

namespace openhook::image {

namespace {

// The trailer is 512 bytes, and QEMU finds it when it begins within the last 1024.
constexpr std::uint64_t kTrailerBytes = 512;
constexpr std::uint64_t kSearched = 1024;

}  // namespace

Result<Header> ReadDmg(ByteWindow& window) {
  const auto length = window.Length();
  if (!length) {
    return tl::make_unexpected(length.error());
  }
  const std::uint64_t count = std::min(*length, kSearched);
  const auto end = window.At(*length - count, static_cast<std::size_t>(count), "the dmg trailer");
  if (!end) {
    return tl::make_unexpected(end.error());
  }
  if (*length < kTrailerBytes || end->find(kDmgMagic) == std::string_view::npos) {
    return Fail(ErrorCode::kCorrupt,
                "it is not a dmg image: its last 1024 bytes have no trailer 'koly'");
  }
  return Header{.format = Format::kDmg,
                .virtual_size = std::nullopt,
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
