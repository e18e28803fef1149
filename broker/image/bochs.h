// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a growing Bochs image (QEMU's block/bochs.c). It names no file; the kinds of Bochs
// images that are laid over another one are not known to QEMU.

#ifndef BROKER_IMAGE_BOCHS_H_
#define BROKER_IMAGE_BOCHS_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kBochsMagic = "Bochs Virtual HD Image";

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadBochs(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_BOCHS_H_
