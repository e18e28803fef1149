// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vhdx images (Microsoft's [MS-VHDX]; QEMU's block/vhdx.h). Read are the first region table, which
// is the one that QEMU uses, and of the metadata region the table, the file parameters and the
// parent locator. QEMU opens no parent of such an image, so the reader names it and refuses.

#ifndef BROKER_IMAGE_VHDX_H_
#define BROKER_IMAGE_VHDX_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kVhdxMagic = "vhdxfile";

// Errors: kCorrupt, or kUnsupported for an image with a parent, naming it.
Result<Header> ReadVhdx(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_VHDX_H_
