// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A compressed loop image (QEMU's block/cloop.c): the block size and count behind a shell script.
// It names no file.

#ifndef BROKER_IMAGE_CLOOP_H_
#define BROKER_IMAGE_CLOOP_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kCloopMagic =
    "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";

// Errors: kCorrupt or kUnsupported, naming the field, what it holds and what is allowed.
Result<Header> ReadCloop(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_CLOOP_H_
