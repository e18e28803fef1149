// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the fuzz target of the monitor relay does with one input: the parts that read what managers
// and QEMU write, without sockets and without a broker.

#ifndef TESTS_FUZZ_RELAY_TARGET_H_
#define TESTS_FUZZ_RELAY_TARGET_H_

#include <cstddef>
#include <cstdint>

namespace openhook::fuzz {

// The input is a conversation: a line that begins with "<" is QEMU's, the others the manager's.
// Ends the process where an invariant does not hold.
void FuzzRelay(const std::uint8_t* data, std::size_t size);

}  // namespace openhook::fuzz

#endif  // TESTS_FUZZ_RELAY_TARGET_H_
