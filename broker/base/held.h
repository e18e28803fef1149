// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How processes have a file open, at the most.

#ifndef BROKER_BASE_HELD_H_
#define BROKER_BASE_HELD_H_

#include <cstdint>

namespace openhook {

enum class Held : std::uint8_t { kNot, kForReading, kForWriting };

}  // namespace openhook

#endif  // BROKER_BASE_HELD_H_
