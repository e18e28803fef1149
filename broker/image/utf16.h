// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Names in Microsoft's formats are UTF-16. They are only shown to people, never opened.

#ifndef BROKER_IMAGE_UTF16_H_
#define BROKER_IMAGE_UTF16_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace openhook::image {

enum class ByteOrder : std::uint8_t { kLittle, kBig };

// As UTF-8, up to the first NUL; what is no character becomes '?', an odd last byte is dropped.
std::string TextOfUtf16(std::string_view bytes, ByteOrder order);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_UTF16_H_
