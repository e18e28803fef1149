// SPDX-License-Identifier: LGPL-2.1-or-later
//
// An Apple disk image (QEMU's block/dmg.c): a trailer near the end of the file. It names no file.
// Nothing at its begin tells it; QEMU guesses it from the file's name.

#ifndef BROKER_IMAGE_DMG_H_
#define BROKER_IMAGE_DMG_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kDmgMagic = "koly";
inline constexpr std::string_view kDmgSuffix = ".dmg";

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadDmg(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_DMG_H_
