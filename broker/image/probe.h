// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads the header of an image, in the format that was declared for it, or in the one that its
// first bytes show. Whoever can write a raw disk can make it look like any format: a probed answer
// may inform people, and must not widen what a VM may use unless a person agrees.

#ifndef BROKER_IMAGE_PROBE_H_
#define BROKER_IMAGE_PROBE_H_

#include <optional>
#include <string_view>

#include "broker/base/result.h"
#include "broker/image/byte_source.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

// What QEMU would probe the file as: by the bytes at its begin; where none is recognised, a file
// whose `name` ends in ".dmg" is dmg, any other one raw.
// Errors: kUnsupported when the bytes fit two formats.
Result<Format> ProbeFormat(ByteWindow& window, std::string_view name);

// Without `declared` the format is probed; only then `name` is looked at. A raw image is not read
// at all when it is declared.
Result<Header> ReadHeader(const ByteSource& source, std::optional<Format> declared,
                          std::string_view name = {});

// Whether a file can serve as an extent of that format without leading to more files.
Result<void> CheckExtent(const ByteSource& source, Format format);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_PROBE_H_
