// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The edge between sockets and meaning: a session reads packets and asks its handler what to do.
// Handlers know no sockets and no event loop, so tests and fuzzers drive them with bytes.

#ifndef BROKER_SERVER_PACKET_HANDLER_H_
#define BROKER_SERVER_PACKET_HANDLER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "broker/base/unique_fd.h"
#include "broker/server/peer.h"

namespace openhook::server {

enum class AfterReply : std::uint8_t { kContinue, kClose };

struct Reaction {
  std::string reply;       // one serialized message
  std::optional<IoFd> fd;  // sent with it, and closed here at once
  AfterReply after = AfterReply::kContinue;
};

class PacketHandler {
 public:
  virtual ~PacketHandler() = default;
  virtual Reaction Handle(std::span<const std::uint8_t> packet) = 0;
};

// Sends one packet to the session's peer outside of a reply (watch). False: the peer reads too
// slowly or is gone, and the packet was dropped.
using PushPacket = std::function<bool(const std::string&)>;

// Makes the handler of a new connection. Never fails: a peer that may not connect gets a handler
// that says why and closes.
using HandlerFactory =
    std::function<std::unique_ptr<PacketHandler>(const Result<Peer>& peer, PushPacket push)>;

}  // namespace openhook::server

#endif  // BROKER_SERVER_PACKET_HANDLER_H_
