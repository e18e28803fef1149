// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a Parallels image (QEMU's docs/interop/parallels). It names no file: snapshots of
// such a disk are tied together by an XML file beside it, which QEMU does not read.

#ifndef BROKER_IMAGE_PARALLELS_H_
#define BROKER_IMAGE_PARALLELS_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kParallelsMagic = "WithoutFreeSpace";
inline constexpr std::string_view kParallelsExtMagic = "WithouFreSpacExt";

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadParallels(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_PARALLELS_H_
