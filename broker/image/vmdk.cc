// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/vmdk.h"

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"
#include "broker/image/vmdk_descriptor.h"

namespace openhook::image {

namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kSparseHeaderBytes = 79;
constexpr std::uint64_t kSectorBytes = 512;
// The constant header of an seSparse extent begins with 0xcafebabe as 64 bits, little-endian.
constexpr auto kSeSparseMagic = "\xbe\xba\xfe\xca\0\0\0\0"sv;

struct SparseFields {
  std::uint64_t capacity;           // in sectors
  std::uint64_t descriptor_sector;  // 0: it has no descriptor

  // QEMU reads such a header as a list of extents, wherever it stands.
  [[nodiscard]] bool IsList() const { return capacity == 0 && descriptor_sector != 0; }
};

Result<SparseFields> ReadSparse(ByteWindow& window) {
  const auto bytes = window.At(0, kSparseHeaderBytes, "the vmdk sparse header");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  return SparseFields{.capacity = LittleEndian<std::uint64_t>(*bytes, 12),
                      .descriptor_sector = LittleEndian<std::uint64_t>(*bytes, 28)};
}

// Adds what the descriptor at `offset` names.
Result<Header> ReadDescriptor(ByteWindow& window, std::uint64_t offset, std::size_t limit,
                              Header header, bool lists_extents) {
  const auto text = window.TextAt(offset, limit, "the vmdk descriptor");
  if (!text) {
    return tl::make_unexpected(text.error());
  }
  if (lists_extents) {
    auto extents = VmdkExtents(*text);
    if (!extents) {
      return tl::make_unexpected(extents.error());
    }
    header.extents = std::move(*extents);
  }
  auto parent = VmdkParent(*text);
  if (!parent) {
    return tl::make_unexpected(parent.error());
  }
  header.backing = std::move(*parent);
  return header;
}

// QEMU looks for the parent in the second sector whatever the header says, so the two must agree.
Result<Header> ReadWithin(ByteWindow& window, Header header) {
  const auto fields = ReadSparse(window);
  if (!fields) {
    return tl::make_unexpected(fields.error());
  }
  if (fields->descriptor_sector != 1) {
    return HeaderFault("the sector of the vmdk descriptor", fields->descriptor_sector,
                       "1 in an image of its own (an extent is named by another file)");
  }
  header.virtual_size = fields->capacity * kSectorBytes;
  return ReadDescriptor(window, kSectorBytes, kVmdkExtentText, std::move(header), fields->IsList());
}

}  // namespace

Result<Header> ReadVmdk(ByteWindow& window) {
  const auto start = window.At(0, kMagicBytes, "the vmdk header");
  if (!start) {
    return tl::make_unexpected(start.error());
  }
  Header header{.format = Format::kVmdk,
                .virtual_size = std::nullopt,
                .backing = std::nullopt,
                .data_file = std::nullopt};
  if (*start == kVmdkSparseMagic) {
    return ReadWithin(window, std::move(header));
  }
  if (*start == kVmdkCowdMagic) {
    return ReadDescriptor(window, kSectorBytes, kVmdkExtentText, std::move(header), false);
  }
  return ReadDescriptor(window, 0, kVmdkExtentText, std::move(header), true);
}

Result<void> CheckVmdkExtent(ByteWindow& window) {
  const auto start = window.At(0, kSeSparseMagic.size(), "the header of a vmdk extent");
  if (!start) {
    return tl::make_unexpected(start.error());
  }
  if (start->starts_with(kVmdkCowdMagic) || *start == kSeSparseMagic) {
    return {};
  }
  if (!start->starts_with(kVmdkSparseMagic)) {
    return NotThisFormat("sparse vmdk", start->substr(0, kMagicBytes), kVmdkSparseMagic);
  }
  const auto fields = ReadSparse(window);
  if (!fields) {
    return tl::make_unexpected(fields.error());
  }
  if (fields->IsList()) {
    return Fail(ErrorCode::kUnsupported,
                "it is a vmdk extent without sectors and with a descriptor: QEMU would open the "
                "extents that it lists");
  }
  return {};
}

}  // namespace openhook::image
