// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a qcow2 image, versions 2 and 3 (QEMU's docs/interop/qcow2). Reads the fixed
// fields, all header extensions (qcow2_extensions.h) and the backing file name, which together lie
// in the first cluster. Nothing of the guest's data or of the tables is looked at.

#ifndef BROKER_IMAGE_QCOW2_H_
#define BROKER_IMAGE_QCOW2_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kQcow2Magic{"QFI\xfb", 4};

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadQcow2(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_QCOW2_H_
