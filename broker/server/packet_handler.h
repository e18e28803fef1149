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

#include "broker/base/file_identity.h"
#include "broker/base/unique_fd.h"
#include "broker/server/peer.h"
#include "broker/worker/pool.h"

namespace openhook::server {

enum class AfterReply : std::uint8_t { kContinue, kClose };

struct Reaction {
  std::string reply;  // one serialized message
  // Sent with it: a descriptor of ours, which is closed at once, or one that a worker holds. The
  // worker then sends reply and descriptor, and closes it: that may keep it waiting.
  std::optional<IoFd> fd;
  std::optional<worker::HeldFile> held;
  std::optional<FileKey> file;  // what the descriptor leads to
  AfterReply after = AfterReply::kContinue;
};

// Takes the reaction to one packet. Belongs to the session and outlives its handler's request.
using Respond = std::function<void(Reaction)>;

class PacketHandler {
 public:
  virtual ~PacketHandler() = default;
  // Calls `respond` exactly once: before it returns, or later, when a file system had to be waited
  // for. The packet is valid only during the call; until `respond` was called, there is no other.
  virtual void Handle(std::span<const std::uint8_t> packet, const Respond& respond) = 0;
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
