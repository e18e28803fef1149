// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/packet.h"

#include <pb_decode.h>
#include <pb_encode.h>

#include "broker/base/limits.h"

namespace openhook::client {

static_assert(openhook_proto_Request_size <= limits::kMaxOpenPacket,
              "the longest request must fit the packet that the broker takes");

bool Encode(const openhook_proto_Request& request, Packet* packet) {
  pb_ostream_t stream = pb_ostream_from_buffer(packet->bytes, sizeof(packet->bytes));
  packet->id = request.id;
  if (!pb_encode(&stream, openhook_proto_Request_fields, &request)) {
    return false;
  }
  packet->size = stream.bytes_written;
  return true;
}

bool Decode(const std::uint8_t* bytes, std::size_t size, openhook_proto_Reply* reply) {
  pb_istream_t stream = pb_istream_from_buffer(bytes, size);
  return pb_decode(&stream, openhook_proto_Reply_fields, reply);
}

}  // namespace openhook::client
