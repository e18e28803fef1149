// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Devices that libvirt attached to a running machine and that are no disks, which its lock driver
// is not told of. libvirt makes a node of each in the machine's own /dev before QEMU is asked to
// open it. So a name below /dev that is on no list is looked for there; what is there and is a
// character device of the host is granted under the lease "libvirt:devices", as it was asked for,
// until its node is gone.

#ifndef BROKER_SERVER_GIVEN_DEVICES_H_
#define BROKER_SERVER_GIVEN_DEVICES_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <optional>
#include <string>

#include "broker/fs/private_devices.h"
#include "broker/server/broker.h"

namespace openhook::server {

inline constexpr const char* kDevicesLease = "libvirt:devices";

class GivenDevices {
 public:
  // `broker` outlives it.
  GivenDevices(boost::asio::io_context& loop, Broker* broker);
  ~GivenDevices();
  GivenDevices(const GivenDevices&) = delete;
  GivenDevices& operator=(const GivenDevices&) = delete;

  // A client of the VM, by whose /dev it is seen when a device has been detached: at once for the
  // first one, now and then later.
  void Know(const fs::ProcessId& client);

  // Calls `done` once: the device may be opened now, or it may not.
  enum class Taken : std::uint8_t { kYes, kNo };
  using Done = std::function<void(Taken)>;
  void Take(const std::string& path, Access access, const fs::ProcessId& client,
            SharedSubject subject, Done done);

 private:
  void Grant(const WantedGrant& wanted, SharedSubject subject, Done done);
  void EndDetached();
  void Wait();

  Broker* broker_;
  boost::asio::steady_timer timer_;
  std::optional<fs::ProcessId> client_;
};

}  // namespace openhook::server

#endif  // BROKER_SERVER_GIVEN_DEVICES_H_
