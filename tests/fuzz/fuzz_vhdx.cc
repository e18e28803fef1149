// SPDX-License-Identifier: LGPL-2.1-or-later

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/image_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  openhook::image::FuzzVhdx({reinterpret_cast<const char*>(data), size});
  return 0;
}
