// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a vdi image (VirtualBox; QEMU's block/vdi.c). It names no file: a parent, which
// QEMU cannot use, is given by its UUID.

#ifndef BROKER_IMAGE_VDI_H_
#define BROKER_IMAGE_VDI_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kVdiMagic = "\x7f\x10\xda\xbe";
inline constexpr std::size_t kVdiMagicAt = 0x40;  // behind a line of text

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadVdi(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_VDI_H_
