// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/qcow2.h"

#include <algorithm>
#include <bit>

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"
#include "broker/image/qcow2_extensions.h"

namespace openhook::image {

namespace {

constexpr std::size_t kVersion2Bytes = 72;
constexpr std::size_t kVersion3Bytes = 104;
constexpr std::size_t kCompressionTypeAt = 104;
constexpr std::uint32_t kMinClusterBits = 9;
constexpr std::uint32_t kMaxClusterBits = 21;
constexpr std::uint32_t kMaxRefcountOrder = 6;
constexpr std::uint32_t kMaxBackingName = 1023;
constexpr std::uint8_t kZlib = 0;
constexpr std::uint8_t kZstd = 1;

// Incompatible: who does not know the bit must not open the image. dirty (0), corrupt (1) and
// extended L2 entries (4) are known and change nothing about the chain.
constexpr unsigned kExternalDataFile = 2;
constexpr unsigned kCompressionType = 3;
constexpr std::uint64_t kKnownIncompatible = 0x1f;
// Autoclear: the data file is a plain raw image of its own.
constexpr unsigned kRawDataFile = 1;

struct Fields {
  std::uint32_t version = 0;
  std::uint64_t backing_offset = 0;
  std::uint32_t backing_size = 0;
  std::uint32_t cluster_bits = 0;
  std::uint64_t size = 0;
  std::uint32_t crypt_method = 0;
  std::uint64_t incompatible = 0;
  std::uint64_t autoclear = 0;
  std::uint32_t refcount_order = 4;  // version 2: always 16 bits
  std::uint32_t header_length = kVersion2Bytes;
  std::uint8_t compression_type = kZlib;

  [[nodiscard]] std::uint64_t ClusterSize() const { return std::uint64_t{1} << cluster_bits; }
  [[nodiscard]] bool Needs(unsigned bit) const { return (incompatible >> bit & 1) != 0; }
  [[nodiscard]] bool IsRawDataFile() const { return (autoclear >> kRawDataFile & 1) != 0; }
};

Result<Fields> ReadVersion2(ByteWindow& window) {
  const auto bytes = window.At(0, kVersion2Bytes, "the qcow2 header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (!bytes->starts_with(kQcow2Magic)) {
    return Fail(ErrorCode::kCorrupt, "it is not a qcow2 image: it begins with " +
                                         Quote(bytes->substr(0, 4)) + " instead of 'QFI\\xfb'");
  }
  Fields fields;
  fields.version = BigEndian<std::uint32_t>(*bytes, 4);
  fields.backing_offset = BigEndian<std::uint64_t>(*bytes, 8);
  fields.backing_size = BigEndian<std::uint32_t>(*bytes, 16);
  fields.cluster_bits = BigEndian<std::uint32_t>(*bytes, 20);
  fields.size = BigEndian<std::uint64_t>(*bytes, 24);
  fields.crypt_method = BigEndian<std::uint32_t>(*bytes, 32);
  if (fields.version != 2 && fields.version != 3) {
    return HeaderFault("version", fields.version, "2 or 3");
  }
  if (fields.cluster_bits < kMinClusterBits || fields.cluster_bits > kMaxClusterBits) {
    return HeaderFault("cluster_bits", fields.cluster_bits, "from 9 to 21");
  }
  return fields;
}

// The fields that version 3 added.
Result<void> AddVersion3(ByteWindow& window, Fields& fields) {
  const auto bytes = window.At(0, kVersion3Bytes, "the qcow2 version 3 header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  fields.incompatible = BigEndian<std::uint64_t>(*bytes, 72);
  fields.autoclear = BigEndian<std::uint64_t>(*bytes, 88);
  fields.refcount_order = BigEndian<std::uint32_t>(*bytes, 96);
  fields.header_length = BigEndian<std::uint32_t>(*bytes, 100);
  if (fields.header_length < kVersion3Bytes || fields.header_length > fields.ClusterSize() ||
      fields.header_length % 8 != 0) {
    return HeaderFault(
        "header_length", fields.header_length,
        "a multiple of 8 from 104 to the cluster size, " + std::to_string(fields.ClusterSize()));
  }
  if (fields.header_length > kCompressionTypeAt) {
    const auto type = window.At(kCompressionTypeAt, 1, "compression_type");
    if (!type) {
      return tl::make_unexpected(type.error());
    }
    fields.compression_type = static_cast<std::uint8_t>((*type)[0]);
  }
  return {};
}

Result<void> CheckFields(const Fields& fields) {
  if (fields.backing_offset > fields.ClusterSize()) {
    return HeaderFault(
        "backing_file_offset", fields.backing_offset,
        "at most the end of the first cluster, " + std::to_string(fields.ClusterSize()));
  }
  if (fields.crypt_method > static_cast<std::uint32_t>(Qcow2Crypt::kLuks)) {
    return HeaderFault("crypt_method", fields.crypt_method, "0 (none), 1 (AES) or 2 (LUKS)");
  }
  if (fields.refcount_order > kMaxRefcountOrder) {
    return HeaderFault("refcount_order", fields.refcount_order, "at most 6");
  }
  if (fields.compression_type > kZstd) {
    return HeaderFault("compression_type", fields.compression_type, "0 (zlib) or 1 (zstd)");
  }
  // Whether that bit is known decides whether an old QEMU refuses the image, so the two must agree.
  if (fields.Needs(kCompressionType) != (fields.compression_type != kZlib)) {
    return HeaderFault("compression_type", fields.compression_type,
                       fields.Needs(kCompressionType)
                           ? "1 (zstd), since the compression type feature bit is set"
                           : "0 (zlib), since the compression type feature bit is not set");
  }
  return {};
}

// Names what an unknown feature is called, where the image brought a name for it.
tl::unexpected<Error> RefuseUnknownFeatures(std::uint64_t unknown, const Qcow2Extensions& table) {
  std::string list;
  for (; unknown != 0; unknown &= unknown - 1) {
    const auto bit = static_cast<unsigned>(std::countr_zero(unknown));
    const auto name = table.incompatible_names.find(bit);
    list += (list.empty() ? "" : ", ") + std::string("bit ") + std::to_string(bit);
    list += name == table.incompatible_names.end() ? "" : " " + Quote(name->second);
  }
  return Fail(ErrorCode::kUnsupported,
              "the header needs unknown qcow2 features: incompatible " + list +
                  " (known: bits 0 to 4); another program must convert this image");
}

Result<Qcow2Extensions> ReadExtensions(ByteWindow& window, const Fields& fields) {
  const std::uint64_t end =
      fields.backing_offset != 0 ? fields.backing_offset : fields.ClusterSize();
  auto found = ReadQcow2Extensions(window, fields.header_length, end,
                                   static_cast<Qcow2Crypt>(fields.crypt_method));
  if (const std::uint64_t unknown = fields.incompatible & ~kKnownIncompatible; unknown != 0) {
    // An unknown feature may have changed the list itself: its faults are not the point then.
    return RefuseUnknownFeatures(unknown, found.value_or(Qcow2Extensions{}));
  }
  return found;
}

Result<std::optional<DataFileReference>> FindDataFile(const Fields& fields,
                                                      const Qcow2Extensions& extensions) {
  if (!fields.Needs(kExternalDataFile)) {
    return std::nullopt;  // a left-over name is ignored, as QEMU does
  }
  if (!extensions.data_file || extensions.data_file->empty()) {
    return Fail(ErrorCode::kCorrupt,
                "malformed header: the external data file feature bit is set, and the header "
                "extension with its name is missing or empty");
  }
  return DataFileReference{
      .name = *extensions.data_file,
      .layout = fields.IsRawDataFile() ? DataFileLayout::kRaw : DataFileLayout::kManaged};
}

Result<std::optional<BackingReference>> FindBacking(ByteWindow& window, const Fields& fields,
                                                    const Qcow2Extensions& extensions) {
  // No offset or a name of no bytes is no backing file, as QEMU reads it.
  if (fields.backing_offset == 0 || fields.backing_size == 0) {
    return std::nullopt;
  }
  const std::uint64_t room = fields.ClusterSize() - fields.backing_offset;
  if (fields.backing_size > std::min<std::uint64_t>(kMaxBackingName, room)) {
    return HeaderFault("backing_file_size", fields.backing_size,
                       "at most 1023, and at most the " + std::to_string(room) +
                           " bytes from backing_file_offset to the end of the first cluster");
  }
  if (fields.backing_offset < fields.header_length) {
    return HeaderFault("backing_file_offset", fields.backing_offset,
                       "at least the header length, " + std::to_string(fields.header_length));
  }
  const auto bytes = window.At(fields.backing_offset, fields.backing_size, "the backing file name");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  auto name = HeaderText("the backing file name", *bytes);
  if (!name) {
    return tl::make_unexpected(name.error());
  }
  BackingReference backing{.name = std::move(*name), .format = extensions.backing_format};
  if (backing.format && backing.format->empty()) {
    backing.format.reset();  // QEMU probes then, as if it was not given
  }
  return backing;
}

}  // namespace

Result<Header> ReadQcow2(ByteWindow& window) {
  auto fields = ReadVersion2(window);
  if (!fields) {
    return tl::make_unexpected(fields.error());
  }
  if (fields->version == 3) {
    if (auto added = AddVersion3(window, *fields); !added) {
      return tl::make_unexpected(added.error());
    }
  }
  if (auto checked = CheckFields(*fields); !checked) {
    return tl::make_unexpected(checked.error());
  }
  const auto extensions = ReadExtensions(window, *fields);
  if (!extensions) {
    return tl::make_unexpected(extensions.error());
  }
  auto data_file = FindDataFile(*fields, *extensions);
  if (!data_file) {
    return tl::make_unexpected(data_file.error());
  }
  auto backing = FindBacking(window, *fields, *extensions);
  if (!backing) {
    return tl::make_unexpected(backing.error());
  }
  return Header{.format = Format::kQcow2,
                .virtual_size = fields->size,
                .backing = std::move(*backing),
                .data_file = std::move(*data_file)};
}

}  // namespace openhook::image
