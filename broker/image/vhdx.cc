// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/vhdx.h"

#include <optional>

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"
#include "broker/image/utf16.h"

namespace openhook::image {

namespace {

using std::string_view_literals::operator""sv;

constexpr std::uint64_t kRegionTableAt = std::uint64_t{192} * 1024;
constexpr std::string_view kRegionSignature = "regi";
constexpr std::size_t kRegionHeaderBytes = 16;
constexpr std::string_view kMetadataSignature = "metadata";
constexpr std::size_t kEntryBytes = 32;  // of both tables, and the header of the second one
constexpr std::uint32_t kMaxEntries = 2047;
// No file reaches farther, so sums of such an offset and 32 bits do not wrap.
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 62;

// GUIDs as they lie in the file: the first three groups little-endian.
constexpr std::size_t kGuidBytes = 16;
constexpr auto kMetadataRegion =
    "\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e"sv;
constexpr auto kFileParameters =
    "\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b"sv;
constexpr auto kVirtualSize = "\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8"sv;
constexpr auto kParentLocator =
    "\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c"sv;

constexpr std::uint32_t kHasParent = 0x2;

// A parent locator is 20 bytes and then its entries; five keys are defined.
constexpr std::size_t kLocatorHeaderBytes = 20;
constexpr std::size_t kLocatorEntryBytes = 12;
constexpr std::uint16_t kMaxLocatorEntries = 64;

// Where the metadata items lie in the file; absent ones are not in the table.
struct Items {
  std::optional<std::uint64_t> file_parameters;
  std::optional<std::uint64_t> virtual_size;
  std::optional<std::uint64_t> parent_locator;
};

Result<std::uint32_t> CheckedCount(std::uint32_t count, std::string_view field) {
  if (count > kMaxEntries) {
    return HeaderFault(field, count, "at most 2047");
  }
  return count;
}

Result<std::uint64_t> FindMetadataRegion(ByteWindow& window) {
  const auto header = window.At(kRegionTableAt, kRegionHeaderBytes, "the vhdx region table");
  if (!header) {
    return tl::make_unexpected(header.error());
  }
  if (!header->starts_with(kRegionSignature)) {
    return Fail(ErrorCode::kCorrupt, "malformed header: the vhdx region table begins with " +
                                         Quote(header->substr(0, 4)) + " instead of 'regi'");
  }
  const auto count = CheckedCount(LittleEndian<std::uint32_t>(*header, 8),
                                  "the number of entries of the vhdx region table");
  if (!count) {
    return tl::make_unexpected(count.error());
  }
  const auto table = window.At(kRegionTableAt + kRegionHeaderBytes, *count * kEntryBytes,
                               "the entries of the vhdx region table");
  if (!table) {
    return tl::make_unexpected(table.error());
  }
  std::optional<std::uint64_t> found;
  for (std::size_t at = 0; at < table->size(); at += kEntryBytes) {
    if (table->substr(at, kGuidBytes) != kMetadataRegion) {
      continue;
    }
    const auto offset = LittleEndian<std::uint64_t>(*table, at + kGuidBytes);
    if (found || offset > kMaxOffset) {
      return HeaderFault("the offset of a vhdx metadata region", offset,
                         "one such region, within the file");
    }
    found = offset;
  }
  if (!found) {
    return Fail(ErrorCode::kCorrupt,
                "malformed header: the vhdx region table names no metadata region");
  }
  return *found;
}

Result<void> Note(std::optional<std::uint64_t>& item, std::uint64_t offset) {
  if (item) {
    return Fail(ErrorCode::kCorrupt,
                "malformed header: the vhdx metadata table has the item at byte " +
                    std::to_string(offset) + " twice");
  }
  item = offset;
  return {};
}

Result<Items> ReadItems(ByteWindow& window, std::uint64_t region) {
  const auto header = window.At(region, kEntryBytes, "the vhdx metadata table");
  if (!header) {
    return tl::make_unexpected(header.error());
  }
  if (!header->starts_with(kMetadataSignature)) {
    return Fail(ErrorCode::kCorrupt, "malformed header: the vhdx metadata table begins with " +
                                         Quote(header->substr(0, 8)) + " instead of 'metadata'");
  }
  const auto count = CheckedCount(LittleEndian<std::uint16_t>(*header, 10),
                                  "the number of entries of the vhdx metadata table");
  if (!count) {
    return tl::make_unexpected(count.error());
  }
  const auto table = window.At(region + kEntryBytes, *count * kEntryBytes,
                               "the entries of the vhdx metadata table");
  if (!table) {
    return tl::make_unexpected(table.error());
  }
  Items items;
  for (std::size_t at = 0; at < table->size(); at += kEntryBytes) {
    const std::string_view guid = table->substr(at, kGuidBytes);
    const std::uint64_t offset = region + LittleEndian<std::uint32_t>(*table, at + kGuidBytes);
    Result<void> noted;
    if (guid == kFileParameters) {
      noted = Note(items.file_parameters, offset);
    } else if (guid == kVirtualSize) {
      noted = Note(items.virtual_size, offset);
    } else if (guid == kParentLocator) {
      noted = Note(items.parent_locator, offset);
    }
    if (!noted) {
      return tl::make_unexpected(noted.error());
    }
  }
  return items;
}

// "relative_path '..\base.vhdx', ...", as far as the locator can be read.
Result<std::string> DescribeLocator(ByteWindow& window, std::uint64_t locator) {
  const auto header = window.At(locator, kLocatorHeaderBytes, "the vhdx parent locator");
  if (!header) {
    return tl::make_unexpected(header.error());
  }
  const auto count = LittleEndian<std::uint16_t>(*header, 18);
  if (count > kMaxLocatorEntries) {
    return HeaderFault("the number of entries of the vhdx parent locator", count, "at most 64");
  }
  const auto read = window.At(locator + kLocatorHeaderBytes, count * kLocatorEntryBytes,
                              "the entries of the vhdx parent locator");
  if (!read) {
    return tl::make_unexpected(read.error());
  }
  const std::string entries(*read);  // the window moves on
  std::string list;
  for (std::size_t at = 0; at < entries.size(); at += kLocatorEntryBytes) {
    const auto text = [&](std::size_t offset_at, std::size_t length_at) -> Result<std::string> {
      const auto bytes =
          window.At(locator + LittleEndian<std::uint32_t>(entries, at + offset_at),
                    LittleEndian<std::uint16_t>(entries, at + length_at), "a parent of vhdx");
      return bytes ? Result<std::string>(TextOfUtf16(*bytes, ByteOrder::kLittle))
                   : tl::make_unexpected(bytes.error());
    };
    const auto key = text(0, 8);
    const auto value = text(4, 10);
    if (!key || !value) {
      return tl::make_unexpected(key ? value.error() : key.error());
    }
    list += (list.empty() ? "" : ", ") + Quote(*key, 64) + " " + Quote(*value, 512);
  }
  return list;
}

Result<void> RefuseParent(ByteWindow& window, const Items& items) {
  const auto parameters = window.At(*items.file_parameters, 8, "the vhdx file parameters");
  if (!parameters) {
    return tl::make_unexpected(parameters.error());
  }
  const bool has_parent = (LittleEndian<std::uint32_t>(*parameters, 4) & kHasParent) != 0;
  if (!has_parent && !items.parent_locator) {
    return {};
  }
  if (!items.parent_locator) {
    return UnusableParent("vhdx", "which no parent locator names");
  }
  const auto parent = DescribeLocator(window, *items.parent_locator);
  return parent ? UnusableParent("vhdx", "named by " + *parent)
                : Result<void>(tl::make_unexpected(parent.error()));
}

}  // namespace

Result<Header> ReadVhdx(ByteWindow& window) {
  const auto start = window.At(0, kVhdxMagic.size(), "the vhdx file identifier");
  if (!start) {
    return tl::make_unexpected(start.error());
  }
  if (*start != kVhdxMagic) {
    return NotThisFormat("vhdx", *start, kVhdxMagic);
  }
  const auto region = FindMetadataRegion(window);
  if (!region) {
    return tl::make_unexpected(region.error());
  }
  const auto items = ReadItems(window, *region);
  if (!items) {
    return tl::make_unexpected(items.error());
  }
  if (!items->file_parameters || !items->virtual_size) {
    return Fail(ErrorCode::kCorrupt,
                "malformed header: the vhdx metadata has no file parameters or no virtual size");
  }
  if (auto parent = RefuseParent(window, *items); !parent) {
    return tl::make_unexpected(parent.error());
  }
  const auto size = window.At(*items->virtual_size, 8, "the vhdx virtual size");
  if (!size) {
    return tl::make_unexpected(size.error());
  }
  return Header{.format = Format::kVhdx,
                .virtual_size = LittleEndian<std::uint64_t>(*size, 0),
                .backing = std::nullopt,
                .data_file = std::nullopt};
}

}  // namespace openhook::image
