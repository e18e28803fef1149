// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a forked process keeps of its parent's descriptors.

#ifndef BROKER_SANDBOX_DESCRIPTORS_H_
#define BROKER_SANDBOX_DESCRIPTORS_H_

#include <cstdint>

#include "broker/base/unique_fd.h"

namespace openhook::sandbox {

enum class StandardStreams : std::uint8_t { kKept, kClosed };

// Closes everything else. For a process that has only just been forked: whoever believes to own
// one of the others must not run any more.
void CloseAllBut(const UniqueFd& kept, StandardStreams streams);

}  // namespace openhook::sandbox

#endif  // BROKER_SANDBOX_DESCRIPTORS_H_
