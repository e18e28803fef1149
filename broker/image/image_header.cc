// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/image_header.h"

#include "broker/base/text.h"

namespace openhook::image {

std::string_view ToString(Format format) {
  switch (format) {
    case Format::kRaw:
      return "raw";
    case Format::kQcow2:
      return "qcow2";
    case Format::kQed:
      return "qed";
  }
  return "unknown";
}

Result<Format> ParseFormat(std::string_view name) {
  if (name == "qcow2") {
    return Format::kQcow2;
  }
  if (name == "qed") {
    return Format::kQed;
  }
  if (name == "raw" || name == "file" || name == "host_device" || name == "host_cdrom") {
    return Format::kRaw;
  }
  return Fail(ErrorCode::kUnsupported, "the image format " + Quote(name) +
                                           " cannot be followed (known: raw, qcow2, qed); convert "
                                           "the image with qemu-img convert -O qcow2");
}

}  // namespace openhook::image
