// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vpc images (Microsoft's "Virtual Hard Disk Image Format Specification"; QEMU's block/vpc.c). A
// footer describes the disk; dynamic and differencing images begin with a copy of it, and it leads
// to the dynamic disk header. QEMU opens a differencing image as if it had no parent, so the reader
// names the parent and refuses.

#ifndef BROKER_IMAGE_VPC_H_
#define BROKER_IMAGE_VPC_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kVpcMagic = "conectix";

// Errors: kCorrupt, or kUnsupported for an image with a parent, naming it.
Result<Header> ReadVpc(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_VPC_H_
