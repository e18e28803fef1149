// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One packet and the descriptor that may travel with it: the only sendmsg and recvmsg of the
// project. Whatever a peer does (several control headers, surplus descriptors, packets that do not
// fit), every descriptor that arrived and is not returned has been closed (threat model D11, D12).
//
// Free of allocation and of the C++ run-time library: the preload shim uses it inside QEMU.

#ifndef PROTO_BUNDLE_H_
#define PROTO_BUNDLE_H_

#include <cstddef>
#include <cstdint>

#include "broker/base/unique_fd.h"

namespace openhook {

enum class BundleStatus : std::uint8_t {
  kOk,
  kAgain,           // kDontWait and nothing to read, or no room to send
  kClosed,          // the peer is gone
  kTooLarge,        // received: the packet did not fit the buffer
  kUnexpectedFds,   // received: more descriptors than the rule admits, or foreign control data
  kDescriptorLost,  // received: the packet is whole, but the kernel dropped its descriptor
                    // (MSG_CTRUNC): a security module refused it, or the descriptor table is full
  kFailed,          // see sys_errno
};

enum class DescriptorRule : std::uint8_t { kNone, kAtMostOne };
enum class WaitMode : std::uint8_t { kWait, kDontWait };

struct ReceivedBundle {
  BundleStatus status = BundleStatus::kFailed;
  int sys_errno = 0;     // with kFailed
  std::size_t size = 0;  // bytes of the packet, with kOk and kDescriptorLost
  UniqueFd fd;           // CLOEXEC; only with kOk and kAtMostOne, and even then maybe none
};

// Reads one packet of a SOCK_SEQPACKET socket. EINTR is retried: a signal never shows.
ReceivedBundle ReceiveBundle(int socket, void* buffer, std::size_t capacity, DescriptorRule rule,
                             WaitMode wait);

struct SentBundle {
  BundleStatus status = BundleStatus::kFailed;
  int sys_errno = 0;
};

// Sends one packet without a descriptor. Never raises SIGPIPE.
SentBundle SendBundle(int socket, const void* data, std::size_t size, WaitMode wait);

// Sends one packet with exactly one descriptor. The caller keeps (and should at once close) its
// own.
SentBundle SendBundle(int socket, const void* data, std::size_t size, const IoFd& fd,
                      WaitMode wait);

}  // namespace openhook

#endif  // PROTO_BUNDLE_H_
