// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The one way in which readers refuse a header: which field, what it holds, what is allowed.

#ifndef BROKER_IMAGE_HEADER_FAULT_H_
#define BROKER_IMAGE_HEADER_FAULT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/text.h"

namespace openhook::image {

inline tl::unexpected<Error> HeaderFault(std::string_view field, std::uint64_t found,
                                         std::string_view allowed) {
  return Fail(ErrorCode::kCorrupt, "malformed header: " + std::string(field) + " is " +
                                       std::to_string(found) + ", allowed is " +
                                       std::string(allowed));
}

// A name in a header is a C string to QEMU: it would use only what is before a NUL byte, so a name
// that holds one means different things to different readers.
inline Result<std::string> HeaderText(std::string_view field, std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) {
    return Fail(ErrorCode::kCorrupt, "malformed header: " + std::string(field) +
                                         " has a NUL byte: " + Quote(bytes, 256));
  }
  return std::string(bytes);
}

}  // namespace openhook::image

#endif  // BROKER_IMAGE_HEADER_FAULT_H_
