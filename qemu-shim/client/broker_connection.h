// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One connection to the broker's open.sock, and where it is kept. The launcher hands over a first
// one that is already greeted; every later one is made here, by path, by the confined process
// itself: the kernel gives a connection the credentials and the security label of whoever called
// connect(2), so nobody else can make it for us.
//
// A connection serves one request at a time. When anything about it is odd (a reply with a foreign
// id, surplus descriptors, bytes that are no reply), it is dropped: resynchronising is guessing.

#ifndef QEMU_SHIM_CLIENT_BROKER_CONNECTION_H_
#define QEMU_SHIM_CLIENT_BROKER_CONNECTION_H_

#include <atomic>
#include <cstdint>

#include "broker/base/unique_fd.h"
#include "qemu-shim/client/packet.h"
#include "qemu-shim/client/patience.h"

namespace openhook::client {

// Holds one socket or none. A plain word without a destructor: programs open files until the very
// end of exit(), and the child of a fork takes what it finds.
class ConnectionSlot {
 public:
  [[nodiscard]] int Get() const { return fd_.load(std::memory_order_relaxed); }
  void Put(UniqueFd fd) { fd_.store(fd.Release(), std::memory_order_relaxed); }
  // Forgets it before it closes it: a fork in between leaks a socket, but never closes a stranger.
  void Drop() { UniqueFd(fd_.exchange(-1, std::memory_order_relaxed)).Reset(); }

 private:
  std::atomic<int> fd_{-1};
};

enum class ConnectStatus : std::uint8_t {
  kConnected,
  kTryAgain,       // nobody listens now
  kRefused,        // the broker answers, and does not want us
  kNoDescriptors,  // this process or the system has no descriptor left
};

// Who is asked, in whose name, and for how long one request waits for a broker that restarts.
struct Endpoint {
  const char* socket;   // path of the broker's open.sock
  const char* program;  // for the broker's log; at most 63 bytes are sent
  int wait_ms;
};

// Connects to the endpoint and says Hello; the connection is in `slot` when kConnected.
ConnectStatus Connect(const Endpoint& endpoint, Patience* patience, ConnectionSlot* slot);

// True when `fd` is a connected SOCK_SEQPACKET Unix socket whose other end was bound to the name of
// `socket_path`: then it is the launcher's. A program started elsewhere with our environment has
// something else, or nothing, at that number.
bool IsBrokerConnection(int fd, const char* socket_path);

enum class RoundTripStatus : std::uint8_t {
  kAnswered,
  kAnsweredWithoutDescriptor,  // the reply promises a descriptor and none arrived
  kBroken,                     // this connection is of no use any more
};

// Sends the packet and waits for its reply, however long the broker takes.
RoundTripStatus RoundTrip(int socket, const Packet& packet, openhook_proto_Reply* reply,
                          UniqueFd* descriptor);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_BROKER_CONNECTION_H_
