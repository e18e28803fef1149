// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/qcow.h"

#include <climits>

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kHeaderBytes = 48;
constexpr unsigned kMinClusterBits = 9;
constexpr unsigned kMaxClusterBits = 16;
constexpr std::uint32_t kAes = 1;
constexpr std::uint32_t kMaxBackingName = 1023;

Result<std::optional<BackingReference>> FindBacking(ByteWindow& window, std::uint64_t offset,
                                                    std::uint32_t size) {
  // No offset or a name of no bytes is no backing file, as QEMU reads it.
  if (offset == 0 || size == 0) {
    return std::nullopt;
  }
  if (size > kMaxBackingName) {
    return HeaderFault("backing_file_size", size, "at most 1023");
  }
  if (offset < kHeaderBytes || offset > LLONG_MAX) {
    return HeaderFault("backing_file_offset", offset, "from 48 on, within the file");
  }
  const auto bytes = window.At(offset, size, "the backing file name");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  auto name = HeaderText("the backing file name", *bytes);
  if (!name) {
    return tl::make_unexpected(name.error());
  }
  return BackingReference{.name = std::move(*name), .format = std::nullopt};
}

}  // namespace

Result<Header> ReadQcow(ByteWindow& window) {
  const auto bytes = window.At(0, kHeaderBytes, "the qcow header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (!bytes->starts_with(kQcowMagic)) {
    return NotThisFormat("qcow", bytes->substr(0, kQcowMagic.size()), kQcowMagic);
  }
  const auto size = BigEndian<std::uint64_t>(*bytes, 24);
  const auto cluster_bits = BigEndian<std::uint8_t>(*bytes, 32);
  const auto crypt_method = BigEndian<std::uint32_t>(*bytes, 36);
  if (cluster_bits < kMinClusterBits || cluster_bits > kMaxClusterBits) {
    return HeaderFault("cluster_bits", cluster_bits, "from 9 to 16");
  }
  if (crypt_method > kAes) {
    return HeaderFault("crypt_method", crypt_method, "0 (none) or 1 (AES)");
  }
  auto backing = FindBacking(window, BigEndian<std::uint64_t>(*bytes, 8),
                             BigEndian<std::uint32_t>(*bytes, 16));
  if (!backing) {
    return tl::make_unexpected(backing.error());
  }
  return Header{.format = Format::kQcow,
                .virtual_size = size,
                .backing = std::move(*backing),
                .data_file = std::nullopt};
}

}  // namespace openhook::image
