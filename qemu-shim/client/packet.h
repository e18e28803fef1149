// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Requests and replies as packets, by nanopb: no allocation, no C++ run time. A packet keeps its
// bytes while it is sent again over a second connection.

#ifndef QEMU_SHIM_CLIENT_PACKET_H_
#define QEMU_SHIM_CLIENT_PACKET_H_

#include <cstddef>
#include <cstdint>

#include "proto/openhook.pb_c.h"

namespace openhook::client {

struct Packet {
  std::uint64_t id = 0;
  std::size_t size = 0;
  std::uint8_t bytes[openhook_proto_Request_size];
};

// False when the message does not follow its schema, which only a bug can cause.
bool Encode(const openhook_proto_Request& request, Packet* packet);

// False for bytes that are no Reply.
bool Decode(const std::uint8_t* bytes, std::size_t size, openhook_proto_Reply* reply);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_PACKET_H_
