// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A greeted connection of the lock driver to a machine's broker. It is made inside of libvirtd,
// with a lock of that machine held: so nothing here waits beyond one deadline.

#ifndef BROKER_LIBVIRT_FEED_CLIENT_H_
#define BROKER_LIBVIRT_FEED_CLIENT_H_

#include <chrono>
#include <optional>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::libvirt {

using Deadline = std::chrono::steady_clock::time_point;

// One image of an announcement.
struct Image {
  std::string path;
  bool write = false;
  bool shareable = false;
};

enum class What : std::uint8_t { kAcquired, kReleased };
enum class Whose : std::uint8_t {
  kImage,         // this image is meant
  kWholeMachine,  // it is said of all images, because the machine goes on
};

class FeedClient {
 public:
  // Nothing: no broker serves this socket (there is none), and nobody has to be told anything. A
  // socket whose broker has died is tried until the deadline. Errors: kUnavailable.
  static Result<std::optional<FeedClient>> Connect(const std::string& socket_path,
                                                   Deadline deadline);

  // A broker that ends before it has answered is waited for, and told again. Errors: kPermission
  // with the broker's reason; kUnavailable when it does not answer in time.
  Result<void> Announce(What what, Whose whose, const Image& image, int pid);

 private:
  FeedClient(std::string socket_path, Deadline deadline)
      : socket_path_(std::move(socket_path)), deadline_(deadline) {}
  enum class Reached : std::uint8_t { kBroker, kNobody };
  // Nobody: only where no broker was reached before.
  Result<Reached> Reach();
  Result<void> Greet();
  template <class Request>
  Result<void> Call(const Request& request);

  std::string socket_path_;
  UniqueFd socket_;
  Deadline deadline_;
  std::uint64_t last_id_ = 0;
};

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_FEED_CLIENT_H_
