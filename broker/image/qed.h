// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The header of a qed image (QEMU's docs/interop/qed_spec): 64 bytes, little-endian, followed by
// the backing file name. It can declare one backing format only, raw, by a feature bit.

#ifndef BROKER_IMAGE_QED_H_
#define BROKER_IMAGE_QED_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kQedMagic{"QED\0", 4};

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadQed(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_QED_H_
