// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/utf16.h"

#include <cstddef>

#include "broker/image/integers.h"

namespace openhook::image {

namespace {

void AppendUtf8(std::string& text, std::uint32_t point) {
  const auto add = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0 | point >> 6);
    add(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    add(0xe0 | point >> 12);
    add(0x80 | (point >> 6 & 0x3f));
    add(0x80 | (point & 0x3f));
  } else {
    add(0xf0 | point >> 18);
    add(0x80 | (point >> 12 & 0x3f));
    add(0x80 | (point >> 6 & 0x3f));
    add(0x80 | (point & 0x3f));
  }
}

bool IsHighSurrogate(std::uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLowSurrogate(std::uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

}  // namespace

std::string TextOfUtf16(std::string_view bytes, ByteOrder order) {
  const auto unit_at = [&](std::size_t at) -> std::uint32_t {
    if (at + 2 > bytes.size()) {
      return 0;
    }
    return order == ByteOrder::kLittle ? LittleEndian<std::uint16_t>(bytes, at)
                                       : BigEndian<std::uint16_t>(bytes, at);
  };
  std::string text;
  for (std::size_t at = 0; unit_at(at) != 0; at += 2) {
    const std::uint32_t unit = unit_at(at);
    if (IsHighSurrogate(unit) && IsLowSurrogate(unit_at(at + 2))) {
      AppendUtf8(text, 0x10000 + ((unit & 0x3ff) << 10 | (unit_at(at + 2) & 0x3ff)));
      at += 2;
    } else if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
      text += '?';
    } else {
      AppendUtf8(text, unit);
    }
  }
  return text;
}

}  // namespace openhook::image
