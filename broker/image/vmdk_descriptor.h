// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The text that describes a vmdk image: key="value" lines, and one line for each extent
//   RW 4192256 SPARSE "disk-s001.vmdk"
//   RW 63 FLAT "disk-flat.vmdk" 0
// (VMware's "Virtual Disk Format 5.0"; QEMU's block/vmdk.c for what QEMU makes of it). QEMU looks
// for keys anywhere in the text and reads extent lines across line ends, so a text can be written
// that means one thing to it and another to a strict reader. Such texts are refused.

#ifndef BROKER_IMAGE_VMDK_DESCRIPTOR_H_
#define BROKER_IMAGE_VMDK_DESCRIPTOR_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/image/image_header.h"

namespace openhook::image {

// QEMU looks for the parent in this many bytes only, and for extents in this many.
inline constexpr std::size_t kVmdkParentText = std::size_t{20} * 512;
inline constexpr std::size_t kVmdkExtentText = (std::size_t{1} << 20) - 1;

// The parent that the text names. A vmdk parent is always vmdk.
// Errors: kCorrupt when what it says of its parent contradicts itself or can be read in two ways.
Result<std::optional<BackingReference>> VmdkParent(std::string_view text);

// The files of its extents. Errors: kCorrupt for a malformed line; kUnsupported for a disk type, an
// access or an extent type that QEMU does not open.
Result<std::vector<ExtentReference>> VmdkExtents(std::string_view text);

// Whether QEMU's probe takes a file that begins like this for a descriptor: comments and blank
// lines, then version=1, 2 or 3; or the comment that VMware begins every descriptor with.
bool LooksLikeVmdkDescriptor(std::string_view start);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_VMDK_DESCRIPTOR_H_
