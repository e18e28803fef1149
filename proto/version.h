// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The protocol's one number (docs/protocol.md, "Versions"). Both planes have it.

#ifndef PROTO_VERSION_H_
#define PROTO_VERSION_H_

#include <cstdint>

namespace openhook {

inline constexpr std::uint32_t kProtocolVersion = 1;

}  // namespace openhook

#endif  // PROTO_VERSION_H_
