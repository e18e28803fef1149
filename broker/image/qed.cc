// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/qed.h"

#include <bit>
#include <climits>

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

constexpr std::size_t kHeaderBytes = 64;
constexpr std::uint64_t kFeatureBackingFile = 0x1;
constexpr std::uint64_t kFeatureNeedCheck = 0x2;
constexpr std::uint64_t kFeatureBackingFormatNoProbe = 0x4;
constexpr std::uint64_t kKnownFeatures =
    kFeatureBackingFile | kFeatureNeedCheck | kFeatureBackingFormatNoProbe;
constexpr std::uint32_t kMinCluster = 4096;
constexpr std::uint32_t kMaxCluster = 64U << 20;
constexpr std::uint32_t kMaxTableClusters = 16;
// QEMU reads the name into a buffer of PATH_MAX bytes, NUL included.
constexpr std::uint32_t kMaxBackingName = PATH_MAX - 1;

struct Fields {
  std::uint32_t cluster_size, table_size, header_size;
  std::uint64_t features, image_size;
  std::uint32_t name_offset, name_size;
};

Result<Fields> ReadFields(ByteWindow& window) {
  const auto bytes = window.At(0, kHeaderBytes, "the qed header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (!bytes->starts_with(kQedMagic)) {
    return Fail(ErrorCode::kCorrupt, "it is not a qed image: it begins with " +
                                         Quote(bytes->substr(0, 4)) + " instead of 'QED\\x00'");
  }
  return Fields{.cluster_size = LittleEndian<std::uint32_t>(*bytes, 4),
                .table_size = LittleEndian<std::uint32_t>(*bytes, 8),
                .header_size = LittleEndian<std::uint32_t>(*bytes, 12),
                .features = LittleEndian<std::uint64_t>(*bytes, 16),
                .image_size = LittleEndian<std::uint64_t>(*bytes, 48),
                .name_offset = LittleEndian<std::uint32_t>(*bytes, 56),
                .name_size = LittleEndian<std::uint32_t>(*bytes, 60)};
}

Result<void> CheckGeometry(const Fields& fields) {
  if (!std::has_single_bit(fields.cluster_size) || fields.cluster_size < kMinCluster ||
      fields.cluster_size > kMaxCluster) {
    return HeaderFault("cluster_size", fields.cluster_size, "a power of two from 4096 to 67108864");
  }
  if (!std::has_single_bit(fields.table_size) || fields.table_size > kMaxTableClusters) {
    return HeaderFault("table_size", fields.table_size, "1, 2, 4, 8 or 16 clusters");
  }
  if (fields.header_size == 0 || fields.header_size > UINT32_MAX / fields.cluster_size) {
    return HeaderFault("header_size", fields.header_size,
                       "from 1 to " + std::to_string(UINT32_MAX / fields.cluster_size) +
                           " clusters of " + std::to_string(fields.cluster_size) + " bytes");
  }
  if (const std::uint64_t unknown = fields.features & ~kKnownFeatures; unknown != 0) {
    return Fail(ErrorCode::kUnsupported,
                "the header needs the unknown qed feature bit " +
                    std::to_string(std::countr_zero(unknown)) +
                    " (known: 0 backing file, 1 need check, 2 backing format no probe)");
  }
  return {};
}

Result<std::string> ReadName(ByteWindow& window, const Fields& fields) {
  if (fields.name_size > kMaxBackingName) {
    return HeaderFault("backing_filename_size", fields.name_size,
                       "at most " + std::to_string(kMaxBackingName));
  }
  const std::uint64_t header_end = std::uint64_t{fields.cluster_size} * fields.header_size;
  if (fields.name_offset < kHeaderBytes ||
      std::uint64_t{fields.name_offset} + fields.name_size > header_end) {
    return HeaderFault("backing_filename_offset", fields.name_offset,
                       "from 64 on, so that the name of " + std::to_string(fields.name_size) +
                           " bytes ends by byte " + std::to_string(header_end));
  }
  const auto bytes = window.At(fields.name_offset, fields.name_size, "the backing file name");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  return HeaderText("the backing file name", *bytes);
}

}  // namespace

Result<Header> ReadQed(ByteWindow& window) {
  const auto fields = ReadFields(window);
  if (!fields) {
    return tl::make_unexpected(fields.error());
  }
  if (auto geometry = CheckGeometry(*fields); !geometry) {
    return tl::make_unexpected(geometry.error());
  }
  Header header{.format = Format::kQed,
                .virtual_size = fields->image_size,
                .backing = std::nullopt,
                .data_file = std::nullopt};
  // A name of no bytes is no backing file, as QEMU reads it.
  if ((fields->features & kFeatureBackingFile) == 0 || fields->name_size == 0) {
    return header;
  }
  auto name = ReadName(window, *fields);
  if (!name) {
    return tl::make_unexpected(name.error());
  }
  header.backing = BackingReference{.name = std::move(*name), .format = std::nullopt};
  if ((fields->features & kFeatureBackingFormatNoProbe) != 0) {
    header.backing->format = "raw";
  }
  return header;
}

}  // namespace openhook::image
