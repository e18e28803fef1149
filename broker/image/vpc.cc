// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/vpc.h"

#include <algorithm>

#include "broker/image/header_fault.h"
#include "broker/image/integers.h"
#include "broker/image/utf16.h"

namespace openhook::image {

namespace {

constexpr std::size_t kFooterBytes = 512;
constexpr std::uint32_t kFixed = 2;
constexpr std::uint32_t kDynamic = 3;
constexpr std::uint32_t kDifferencing = 4;

constexpr std::string_view kDynamicMagic = "cxsparse";
constexpr std::size_t kDynamicBytes = 1024;
constexpr std::size_t kParentNameAt = 64;
constexpr std::size_t kParentNameBytes = 512;
constexpr std::size_t kLocatorsAt = 576;
constexpr std::size_t kLocatorBytes = 24;
constexpr std::size_t kLocators = 8;
constexpr std::uint32_t kMaxLocatorText = 4096;

struct Footer {
  std::uint64_t dynamic_header;  // where it is
  std::uint64_t size;
  std::uint32_t type;
};

Footer ParseFooter(std::string_view bytes) {
  return Footer{.dynamic_header = BigEndian<std::uint64_t>(bytes, 16),
                .size = BigEndian<std::uint64_t>(bytes, 48),
                .type = BigEndian<std::uint32_t>(bytes, 60)};
}

// A fixed image has its footer at the end only.
Result<Footer> ReadFixedFooter(ByteWindow& window) {
  const auto length = window.Length();
  if (!length) {
    return tl::make_unexpected(length.error());
  }
  if (*length < kFooterBytes) {
    return Fail(ErrorCode::kCorrupt, "the file ends too early: a vpc footer needs 512 bytes, and " +
                                         std::to_string(*length) + " are there");
  }
  const auto bytes = window.At(*length - kFooterBytes, kFooterBytes, "the vpc footer");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  if (!bytes->starts_with(kVpcMagic)) {
    return Fail(ErrorCode::kCorrupt,
                "it is not a vpc image: neither its begin nor its last 512 bytes begin with "
                "'conectix'");
  }
  const Footer footer = ParseFooter(*bytes);
  if (footer.type != kFixed) {
    return HeaderFault("the disk type in a vpc footer that is at the end only", footer.type,
                       "2 (fixed)");
  }
  return footer;
}

// One locator: where some platform looks for the parent. Texts are UTF-16 on Windows ("W2..."),
// a URL on Mac ("MacX").
Result<std::string> DescribeLocator(ByteWindow& window, std::string_view locator) {
  const std::string platform(locator.substr(0, 4));
  const auto length = std::min(BigEndian<std::uint32_t>(locator, 8), kMaxLocatorText);
  const auto bytes = window.At(BigEndian<std::uint64_t>(locator, 16), length, "a parent of vpc");
  if (!bytes) {
    return tl::make_unexpected(bytes.error());
  }
  const std::string text =
      platform.starts_with("W2") ? TextOfUtf16(*bytes, ByteOrder::kLittle) : std::string(*bytes);
  return Quote(platform) + " " + Quote(text, 512);
}

tl::unexpected<Error> RefuseParent(ByteWindow& window, const std::string& header) {
  std::string list =
      Quote(TextOfUtf16(std::string_view(header).substr(kParentNameAt, kParentNameBytes),
                        ByteOrder::kBig),
            512);
  for (std::size_t i = 0; i < kLocators; ++i) {
    const auto locator =
        std::string_view(header).substr(kLocatorsAt + i * kLocatorBytes, kLocatorBytes);
    if (BigEndian<std::uint32_t>(locator, 0) == 0) {
      continue;  // an unused one
    }
    const auto described = DescribeLocator(window, locator);
    if (!described) {
      return tl::make_unexpected(described.error());
    }
    list += ", " + *described;
  }
  return UnusableParent("vpc", "named " + list);
}

}  // namespace

Result<Header> ReadVpc(ByteWindow& window) {
  const auto start = window.Prefix(kFooterBytes);
  if (!start) {
    return tl::make_unexpected(start.error());
  }
  const bool is_fixed = start->size() < kFooterBytes || !start->starts_with(kVpcMagic);
  const Result<Footer> footer = is_fixed ? ReadFixedFooter(window) : ParseFooter(*start);
  if (!footer) {
    return tl::make_unexpected(footer.error());
  }
  Header header{.format = Format::kVpc,
                .virtual_size = footer->size,
                .backing = std::nullopt,
                .data_file = std::nullopt};
  if (is_fixed) {
    return header;
  }
  const auto dynamic =
      window.At(footer->dynamic_header, kDynamicBytes, "the vpc dynamic disk header");
  if (!dynamic) {
    return tl::make_unexpected(dynamic.error());
  }
  if (!dynamic->starts_with(kDynamicMagic)) {
    return Fail(ErrorCode::kCorrupt, "malformed header: the vpc dynamic disk header begins with " +
                                         Quote(dynamic->substr(0, 8)) + " instead of 'cxsparse'");
  }
  if (footer->type == kDifferencing) {
    return RefuseParent(window, std::string(*dynamic));
  }
  if (footer->type != kDynamic) {
    return HeaderFault("the disk type in a vpc footer that is at the begin", footer->type,
                       "3 (dynamic)");
  }
  return header;
}

}  // namespace openhook::image
