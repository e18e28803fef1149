// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a qcow image, version 1, the one before qcow2 (QEMU's block/qcow.c): 48 bytes,
// big-endian, which say where the backing file name is. Its format cannot be declared.

#ifndef BROKER_IMAGE_QCOW_H_
#define BROKER_IMAGE_QCOW_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kQcowMagic{"QFI\xfb\0\0\0\1", 8};  // with the version

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadQcow(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_QCOW_H_
