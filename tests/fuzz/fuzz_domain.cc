// SPDX-License-Identifier: LGPL-2.1-or-later

#include <cstddef>
#include <cstdint>

#include "tests/fuzz/domain_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  openhook::domain::FuzzDomain({reinterpret_cast<const char*>(data), size});
  return 0;
}
