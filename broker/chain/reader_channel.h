// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The socket between a program and its reader of headers: messages of proto/reader.proto, one in a
// packet.

#ifndef BROKER_CHAIN_READER_CHANNEL_H_
#define BROKER_CHAIN_READER_CHANNEL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "proto/reader.pb.h"

namespace openhook::chain {

// A member's bytes in one packet.
inline constexpr std::size_t kMaxRead = 32 * std::size_t{1024};

class ReaderChannel {
 public:
  explicit ReaderChannel(UniqueFd socket);

  // Errors: kIo when the other side is gone; kCorrupt for a packet that is no such message.
  Result<void> Say(const google::protobuf::MessageLite& message);
  Result<void> Hear(google::protobuf::MessageLite* message);

  [[nodiscard]] const UniqueFd& socket() const { return socket_; }

 private:
  UniqueFd socket_;
  std::vector<std::uint8_t> buffer_;
};

void ToWire(const Error& from, proto::ReaderError* to);
Error FromWire(const proto::ReaderError& from);

}  // namespace openhook::chain

#endif  // BROKER_CHAIN_READER_CHANNEL_H_
