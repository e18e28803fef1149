// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/vmdk_descriptor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstdint>
#include <memory>
#include <utility>

#include "broker/base/text.h"
#include "broker/image/header_fault.h"

namespace openhook::image {

namespace {

// What separates words for QEMU's sscanf(), apart from the end of the line.
constexpr std::string_view kBlank = " \t\v\f\r";
// QEMU cuts a longer name of an extent short.
constexpr std::size_t kMaxExtentName = 511;
// Types of disks whose extents QEMU opens.
constexpr std::array<std::string_view, 6> kDiskTypes = {
    "monolithicFlat", "twoGbMaxExtentFlat", "twoGbMaxExtentSparse",
    "vmfs",           "vmfsSparse",         "seSparse"};

tl::unexpected<Error> DescriptorFault(const std::string& what) {
  return Fail(ErrorCode::kCorrupt, "malformed vmdk descriptor: " + what);
}

// Cuts the next line off `text`, without its end.
std::string_view TakeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

void SkipBlanks(std::string_view& text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kBlank)));
}

std::string_view TakeWord(std::string_view& line) {
  SkipBlanks(line);
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(kBlank) == std::string_view::npos;
}

// The value of key="value". QEMU takes the first place where the key's letters stand, in a comment
// too, and passes over the next two characters unseen.
Result<std::optional<std::string>> Value(std::string_view text, const std::string& key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  if (text.find(key, at + 1) != std::string_view::npos) {
    return DescriptorFault(key + " is given twice");
  }
  std::string_view rest = text.substr(at + key.size());
  if ((at != 0 && text[at - 1] != '\n') || !rest.starts_with("=\"")) {
    return DescriptorFault(key + " does not stand at the begin of a line and before =\"");
  }
  rest.remove_prefix(2);
  const std::size_t end = rest.find_first_of("\"\n");
  if (end == std::string_view::npos || rest[end] != '"') {
    return DescriptorFault("the value of " + key + " has no closing quote");
  }
  return std::string(rest.substr(0, end));
}

// parentCID=hex, whose ffffffff means that there is no parent.
Result<bool> HasParentId(std::string_view text) {
  constexpr std::string_view kKey = "parentCID=";
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    if (!line.starts_with(kKey)) {
      continue;
    }
    line.remove_prefix(kKey.size());
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), id, 16);
    if (error != std::errc() || !IsBlank({end, line.data() + line.size()})) {
      return DescriptorFault("parentCID is " + Quote(line, 64) + ", allowed is a 32 bit number");
    }
    return id != UINT32_MAX;
  }
  return DescriptorFault("it has no line that begins with parentCID=");
}

struct ExtentLine {
  std::string_view type;
  std::string_view name;
  bool has_offset = false;
};

bool TakeNumber(std::string_view& line, std::int64_t& number) {
  const std::string_view word = TakeWord(line);
  const char* const end = std::to_address(word.end());
  const auto [stopped, error] = std::from_chars(std::to_address(word.begin()), end, number);
  return error == std::errc() && stopped == end && number >= 0;
}

// What follows the access. QEMU is more patient; what only a patient reader reads is refused.
Result<ExtentLine> ParseExtentLine(std::string_view line) {
  const auto fault = [whole = line](const char* what) {
    return DescriptorFault("the extent line " + Quote("RW" + std::string(whole), 640) + " " + what);
  };
  std::int64_t number = 0;
  if (!TakeNumber(line, number) || number == 0) {
    return fault("has no number of sectors");
  }
  ExtentLine extent{.type = TakeWord(line), .name = {}};
  if (extent.type == "ZERO" && IsBlank(line)) {
    return extent;
  }
  SkipBlanks(line);
  const std::size_t end = line.find('"', 1);
  if (!line.starts_with('"') || end == std::string_view::npos || end == 1) {
    return fault("has no file name in double quotes");
  }
  extent.name = line.substr(1, end - 1);
  if (extent.name.size() > kMaxExtentName || extent.name.find('\r') != std::string_view::npos) {
    return fault("has a file name that is longer than 511 bytes or has a carriage return");
  }
  line.remove_prefix(end + 1);
  extent.has_offset = !IsBlank(line);
  if (extent.has_offset && (!TakeNumber(line, number) || !IsBlank(line))) {
    return fault("has more than an offset behind its file name");
  }
  return extent;
}

// The member that an extent line leads to; none for an extent of zeros.
Result<std::optional<ExtentReference>> Member(const ExtentLine& line) {
  if (line.type == "ZERO") {
    return std::nullopt;
  }
  const bool is_flat = line.type == "FLAT";
  const bool is_sparse =
      line.type == "SPARSE" || line.type == "VMFSSPARSE" || line.type == "SESPARSE";
  if (!is_flat && !is_sparse && line.type != "VMFS") {
    return Fail(ErrorCode::kUnsupported,
                "the extent " + Quote(line.name) + " is of the type " + Quote(line.type) +
                    ", which QEMU passes over; convert the image with the program that made it");
  }
  if (is_flat != line.has_offset) {
    return DescriptorFault("the extent " + Quote(line.name) + " of the type " +
                           std::string(line.type) +
                           (is_flat ? " has no offset" : " has an offset"));
  }
  return ExtentReference{.name = std::string(line.name),
                         .format = is_sparse ? Format::kVmdk : Format::kRaw};
}

Result<void> CheckDiskType(std::string_view text) {
  const auto type = Value(text, "createType");
  if (!type) {
    return tl::make_unexpected(type.error());
  }
  if (!*type) {
    return DescriptorFault("it has no createType");
  }
  if (std::find(kDiskTypes.begin(), kDiskTypes.end(), **type) == kDiskTypes.end()) {
    return Fail(ErrorCode::kUnsupported,
                "the vmdk disk type " + Quote(**type) +
                    " is not one that QEMU opens by its extents; convert the image with the "
                    "program that made it");
  }
  return {};
}

}  // namespace

Result<std::optional<BackingReference>> VmdkParent(std::string_view text) {
  const std::string key = "parentFileNameHint";
  auto hint = Value(text, key);
  if (!hint) {
    return tl::make_unexpected(hint.error());
  }
  const auto has_id = HasParentId(text);
  if (!has_id) {
    return tl::make_unexpected(has_id.error());
  }
  if (!*hint || (*hint)->empty()) {
    // QEMU would go on, and show zeros for what is in the parent.
    return *has_id ? Result<std::optional<BackingReference>>(DescriptorFault(
                         "parentCID says that it has a parent, and no parentFileNameHint names it"))
                   : std::nullopt;
  }
  const std::size_t end = text.find(key) + key.size() + (*hint)->size() + std::size_t{3};  // =""
  if ((*hint)->size() > PATH_MAX - 1 || end > kVmdkParentText) {
    return DescriptorFault(
        "parentFileNameHint is longer than 4095 bytes, or lies beyond the first 10240 bytes, which "
        "are all that QEMU searches for it");
  }
  return BackingReference{.name = std::move(**hint), .format = "vmdk"};
}

Result<std::vector<ExtentReference>> VmdkExtents(std::string_view text) {
  if (auto type = CheckDiskType(text); !type) {
    return tl::make_unexpected(type.error());
  }
  std::vector<ExtentReference> extents;
  bool after_blank = false;
  while (!text.empty()) {
    std::string_view line = TakeLine(text);
    const bool was_blank = std::exchange(after_blank, IsBlank(line));
    const std::string_view access = TakeWord(line);
    if (access == "RDONLY" || access == "NOACCESS") {
      return Fail(ErrorCode::kUnsupported, "an extent has the access " + Quote(access) +
                                               ", and QEMU passes over such extents; convert the "
                                               "image with the program that made it");
    }
    if (access != "RW") {
      continue;
    }
    if (was_blank) {
      return DescriptorFault("an empty line stands before an extent, which QEMU then reads twice");
    }
    const auto parsed = ParseExtentLine(line);
    if (!parsed) {
      return tl::make_unexpected(parsed.error());
    }
    auto member = Member(*parsed);
    if (!member) {
      return tl::make_unexpected(member.error());
    }
    if (*member) {
      extents.push_back(std::move(**member));
    }
  }
  return extents;
}

bool LooksLikeVmdkDescriptor(std::string_view start) {
  if (start.starts_with("# Disk DescriptorFile")) {
    return true;
  }
  while (!start.empty()) {
    const bool is_whole = start.find('\n') != std::string_view::npos;
    std::string_view line = TakeLine(start);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.starts_with("version=")) {
      return is_whole && (line == "version=1" || line == "version=2" || line == "version=3");
    }
    if (!line.starts_with('#') && !IsBlank(line)) {
      return false;
    }
  }
  return false;
}

}  // namespace openhook::image
