// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/fuzz/relay_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  openhook::fuzz::FuzzRelay(data, size);
  return 0;
}
