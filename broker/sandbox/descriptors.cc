// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/sandbox/descriptors.h"

#include <unistd.h>

#include <algorithm>
#include <climits>

namespace openhook::sandbox {

namespace {

constexpr unsigned kFirstAfterStandardStreams = 3;
// Linux before 5.9 has no close_range(2); more descriptors than this none of our programs has.
constexpr int kManyDescriptors = 4096;

void CloseRange(unsigned first, unsigned end) {
  if (first >= end || ::close_range(first, end - 1, 0) == 0) {
    return;
  }
  for (int fd = static_cast<int>(first);
       fd < static_cast<int>(std::min<unsigned>(end, kManyDescriptors)); ++fd) {
    ::close(fd);
  }
}

}  // namespace

void CloseAllBut(const UniqueFd& kept, StandardStreams streams) {
  const unsigned first = streams == StandardStreams::kKept ? kFirstAfterStandardStreams : 0;
  const auto number = static_cast<unsigned>(kept.Get());
  CloseRange(first, number);
  CloseRange(std::max(number + 1, first), UINT_MAX);
}

}  // namespace openhook::sandbox
