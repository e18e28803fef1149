// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The relay's sockets: the one that managers connect to, and QEMU's, which have no name any more.

#ifndef BROKER_RELAY_SOCKETS_H_
#define BROKER_RELAY_SOCKETS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "proto/stream.h"

namespace openhook::relay {

// Listens at `path` for our own user, and for `group` unless it is our own. A socket there that
// nobody serves is replaced. Errors: kConflict when somebody does; the kernel's.
Result<UniqueFd> ListenAt(const std::string& path, gid_t group);

// A connection to the socket that the O_PATH descriptor `name` stands for. Errors: kUnavailable
// when it is too early (its queue is full), kNotFound when nobody holds it any more.
Result<UniqueFd> ConnectTo(int name);

// Accepts a manager; not valid when there is none.
UniqueFd AcceptFrom(int listener);

// What is read from a monitor in one go.
inline constexpr std::size_t kReadBytes = std::size_t{64} << 10;

// Bytes, with their descriptors, that wait for room in a socket.
class Outgoing {
 public:
  void Add(std::string bytes, std::vector<UniqueFd> descriptors = {});
  // Sends what there is room for. kOk and kAgain: go on.
  StreamStatus Flush(int socket);
  [[nodiscard]] bool IsEmpty() const { return parts_.empty(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Part {
    std::string bytes;
    std::size_t sent = 0;
    std::vector<UniqueFd> descriptors;
  };
  std::deque<Part> parts_;
  std::size_t size_ = 0;
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_SOCKETS_H_
