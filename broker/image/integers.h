// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Integers of foreign headers. The caller has already cut `bytes` to the size of its header; an
// offset outside of it is a bug of ours, not of the file.

#ifndef BROKER_IMAGE_INTEGERS_H_
#define BROKER_IMAGE_INTEGERS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/base/result.h"

namespace openhook::image {

template <class Integer>
Integer BigEndian(std::string_view bytes, std::size_t offset) {
  CheckOrDie(bytes.size() >= sizeof(Integer) && offset <= bytes.size() - sizeof(Integer),
             "a header field lies outside of its header");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  }
  return static_cast<Integer>(value);
}

template <class Integer>
Integer LittleEndian(std::string_view bytes, std::size_t offset) {
  CheckOrDie(bytes.size() >= sizeof(Integer) && offset <= bytes.size() - sizeof(Integer),
             "a header field lies outside of its header");
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(Integer); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i - 1]);
  }
  return static_cast<Integer>(value);
}

}  // namespace openhook::image

#endif  // BROKER_IMAGE_INTEGERS_H_
