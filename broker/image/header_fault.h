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

// The first bytes are not those of the format that was declared.
inline tl::unexpected<Error> NotThisFormat(std::string_view format, std::string_view found,
                                           std::string_view expected) {
  return Fail(ErrorCode::kCorrupt, "it is not a " + std::string(format) +
                                       " image: it begins with " + Quote(found, 64) +
                                       " instead of " + Quote(expected));
}

// A well formed image over a parent that QEMU has no support for. Opened without it, it would show
// other data than the guest wrote; so the parent is named, and the image refused.
inline tl::unexpected<Error> UnusableParent(std::string_view format, std::string_view parent) {
  return Fail(ErrorCode::kUnsupported,
              "it has a parent, " + std::string(parent) + ", and QEMU cannot use a parent of " +
                  std::string(format) +
                  "; merge the image into its parent with the program that made it");
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
