// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/qcow2_extensions.h"

#include <climits>

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"

namespace openhook::image {

namespace {

// Types, from the specification.
constexpr std::uint32_t kEnd = 0x00000000;
constexpr std::uint32_t kBackingFormat = 0xe2792aca;
constexpr std::uint32_t kFeatureNames = 0x6803f857;
constexpr std::uint32_t kBitmaps = 0x23852875;
constexpr std::uint32_t kEncryptionHeader = 0x0537be77;
constexpr std::uint32_t kDataFile = 0x44415441;

constexpr std::uint64_t kMarkBytes = 8;  // type and length
constexpr std::uint32_t kBitmapsBytes = 24;
constexpr std::uint32_t kEncryptionHeaderBytes = 16;
// QEMU reads a backing format into 16 bytes, NUL included.
constexpr std::uint32_t kMaxBackingFormat = 15;
constexpr std::uint32_t kMaxDataFile = PATH_MAX - 1;
// A feature name: its kind, its bit and up to 46 bytes of text padded with NULs. There are three
// kinds of 64 bits each.
constexpr std::uint32_t kFeatureBytes = 48;
constexpr std::uint32_t kMaxFeatureNames = 192 * kFeatureBytes;
constexpr char kIncompatibleKind = 0;
// Far more than exist (six are defined); bounds the work that a hostile 2 MiB cluster can ask for.
constexpr std::size_t kMaxExtensions = 256;

struct Mark {
  std::uint32_t type, length;
  std::uint64_t data;  // where its data begins
};

Result<Mark> ReadMark(ByteWindow& window, std::uint64_t offset, std::uint64_t end) {
  if (end - offset < kMarkBytes) {
    return HeaderFault("the room left for a header extension at byte " + std::to_string(offset),
                       end - offset, "0 or at least 8 bytes");
  }
  const auto bytes = window.At(offset, kMarkBytes, "a header extension");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  const Mark mark{.type = BigEndian<std::uint32_t>(*bytes, 0),
                  .length = BigEndian<std::uint32_t>(*bytes, 4),
                  .data = offset + kMarkBytes};
  if (mark.type != kEnd && mark.length > end - mark.data) {
    return HeaderFault("the length of the header extension at byte " + std::to_string(offset),
                       mark.length,
                       "at most " + std::to_string(end - mark.data) +
                           " (up to the backing file name or the end of the first cluster)");
  }
  return mark;
}

class ExtensionReader {
 public:
  ExtensionReader(ByteWindow& window, Qcow2Crypt crypt) : window_(window), crypt_(crypt) {}

  Result<void> Take(const Mark& mark) {
    switch (mark.type) {
      case kBackingFormat:
        return TakeText(mark, "the backing format", kMaxBackingFormat, found_.backing_format);
      case kDataFile:
        return TakeText(mark, "the external data file name", kMaxDataFile, found_.data_file);
      case kFeatureNames:
        return TakeFeatureNames(mark);
      case kBitmaps:
        return CheckBitmaps(mark);
      case kEncryptionHeader:
        return CheckEncryptionHeader(mark);
      default:
        return {};  // unknown extensions may be ignored, says the specification
    }
  }

  Qcow2Extensions Found() && { return std::move(found_); }

 private:
  Result<void> TakeText(const Mark& mark, const std::string& field, std::uint32_t limit,
                        std::optional<std::string>& into) {
    if (mark.length > limit) {
      return HeaderFault("the length of " + field, mark.length, "at most " + std::to_string(limit));
    }
    const auto bytes = window_.At(mark.data, mark.length, field);
    if (!bytes) {
      return tl::make_unexpected(bytes.error());
    }
    auto text = HeaderText(field, *bytes);
    if (!text) {
      return tl::make_unexpected(text.error());
    }
    // QEMU lets the last one win, others take the first.
    if (into) {
      return Fail(ErrorCode::kCorrupt, "malformed header: " + field + " is given twice: first " +
                                           Quote(*into) + ", then " + Quote(*text));
    }
    into = std::move(*text);
    return {};
  }

  Result<void> TakeFeatureNames(const Mark& mark) {
    if (mark.length % kFeatureBytes != 0 || mark.length > kMaxFeatureNames) {
      return HeaderFault("the length of the feature name table", mark.length,
                         "a multiple of 48, at most " + std::to_string(kMaxFeatureNames));
    }
    const auto table = window_.At(mark.data, mark.length, "the feature name table");
    if (!table) {
      return tl::make_unexpected(table.error());
    }
    for (std::size_t at = 0; at < table->size(); at += kFeatureBytes) {
      const std::string_view row = table->substr(at, kFeatureBytes);
      const std::string_view name = row.substr(2);
      if (row[0] == kIncompatibleKind) {
        found_.incompatible_names[static_cast<unsigned char>(row[1])] =
            name.substr(0, name.find('\0'));
      }
    }
    return {};
  }

  static Result<void> CheckBitmaps(const Mark& mark) {
    if (mark.length != kBitmapsBytes) {
      return HeaderFault("the length of the bitmaps extension", mark.length, "24");
    }
    return {};
  }

  [[nodiscard]] Result<void> CheckEncryptionHeader(const Mark& mark) const {
    if (crypt_ != Qcow2Crypt::kLuks) {
      return HeaderFault("crypt_method beside a full disk encryption header",
                         static_cast<std::uint64_t>(crypt_), "2 (LUKS)");
    }
    if (mark.length != kEncryptionHeaderBytes) {
      return HeaderFault("the length of the full disk encryption header pointer", mark.length,
                         "16");
    }
    return {};
  }

  ByteWindow& window_;
  Qcow2Crypt crypt_;
  Qcow2Extensions found_;
};

}  // namespace

Result<Qcow2Extensions> ReadQcow2Extensions(ByteWindow& window, std::uint64_t begin,
                                            std::uint64_t end, Qcow2Crypt crypt) {
  ExtensionReader reader(window, crypt);
  std::size_t count = 0;
  for (std::uint64_t offset = begin; offset < end;) {
    const auto mark = ReadMark(window, offset, end);
    if (!mark) {
      return tl::make_unexpected(mark.error());
    }
    if (mark->type == kEnd) {
      break;
    }
    if (++count > kMaxExtensions) {
      return HeaderFault("the number of header extensions", count,
                         "at most " + std::to_string(kMaxExtensions));
    }
    if (auto taken = reader.Take(*mark); !taken) {
      return tl::make_unexpected(taken.error());
    }
    offset = mark->data + (std::uint64_t{mark->length} + 7) / 8 * 8;
  }
  return std::move(reader).Found();
}

}  // namespace openhook::image
