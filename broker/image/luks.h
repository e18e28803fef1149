// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a LUKS volume, version 1 (the "LUKS On-Disk Format Specification"; QEMU's
// crypto/block-luks.c). It names no file.

#ifndef BROKER_IMAGE_LUKS_H_
#define BROKER_IMAGE_LUKS_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kLuksMagic = "LUKS\xba\xbe";

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadLuks(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_LUKS_H_
