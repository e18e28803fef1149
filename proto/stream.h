// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Bytes of a stream socket together with the descriptors that travel with them: how a monitor's
// client hands files to QEMU. Never blocks; every descriptor that arrived is owned or closed.

#ifndef PROTO_STREAM_H_
#define PROTO_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/unique_fd.h"

namespace openhook {

enum class StreamStatus : std::uint8_t {
  kOk,
  kAgain,   // nothing to read now, or no room to send
  kClosed,  // the peer is gone
  kBroken,  // foreign control data, descriptors that got lost, or a failing system call
};

struct StreamChunk {
  StreamStatus status = StreamStatus::kBroken;
  std::string bytes;
  std::vector<UniqueFd> descriptors;  // CLOEXEC
};

// What the socket has, at most `capacity` bytes.
StreamChunk ReceiveStream(int socket, std::size_t capacity);

struct StreamSent {
  StreamStatus status = StreamStatus::kBroken;
  std::size_t size = 0;  // with kOk: how many bytes went, and with them all descriptors
};

// Sends as much of `bytes` (not empty) as there is room for. Never raises SIGPIPE.
StreamSent SendStream(int socket, std::string_view bytes, const std::vector<UniqueFd>& descriptors);

}  // namespace openhook

#endif  // PROTO_STREAM_H_
