// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reads the header of an image, in the format that was declared for it, or in the one that its
// first bytes show. Whoever can write a raw disk can make it look like any format: a probed answer
// may inform people, and must not widen what a VM may use unless a person agrees.

#ifndef BROKER_IMAGE_PROBE_H_
#define BROKER_IMAGE_PROBE_H_

#include <optional>

#include "broker/base/result.h"
#include "broker/image/byte_source.h"
#include "broker/image/byte_window.h"
#include "broker/image/image_header.h"

namespace openhook::image {

// qcow2 and qed by their magic, raw when no format that QEMU probes for is recognised.
// Errors: kUnsupported naming the format when it is one that cannot be followed.
Result<Format> ProbeFormat(ByteWindow& window);

// Without `declared` the format is probed. A raw image is not read at all when it is declared.
Result<Header> ReadHeader(const ByteSource& source, std::optional<Format> declared);

}  // namespace openhook::image

#endif  // BROKER_IMAGE_PROBE_H_
