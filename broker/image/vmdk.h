// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vmdk images: a descriptor (vmdk_descriptor.h) that is a file of its own and lists the files of
// its extents, or one within the header of a sparse image. Both may name a parent.

#ifndef BROKER_IMAGE_VMDK_H_
#define BROKER_IMAGE_VMDK_H_

#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

inline constexpr std::string_view kVmdkSparseMagic = "KDMV";  // hosted: monolithic, 2 GB, stream
inline constexpr std::string_view kVmdkCowdMagic = "COWD";    // of ESX

// Errors: kCorrupt, kUnsupported or kLimit, naming what it holds and what is allowed.
Result<Header> ReadVmdk(ByteWindow& window);

// A sparse extent of another image's descriptor. Whatever its own descriptor says is not looked at
// by QEMU, with one exception, which is refused. Errors: as above.
Result<void> CheckVmdkExtent(ByteWindow& window);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_VMDK_H_
