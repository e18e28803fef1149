// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Settings of the lock driver: the file that libvirt names to it, /etc/libvirt/qemu-openhook.conf,
// in libvirt's own form (key = "value").

#ifndef BROKER_LIBVIRT_DRIVER_CONFIG_H_
#define BROKER_LIBVIRT_DRIVER_CONFIG_H_

#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace openhook::libvirt {

struct DriverConfig {
  std::string run_dir = "/run/openhook";
  std::string delegate;         // name of the lock driver that every call goes to as well; or none
  std::string delegate_config;  // that file of it which libvirt would have named
  int timeout_ms = 5000;        // for all that one operation asks of a broker
};

// Errors: kInvalidArgument with the line.
Result<DriverConfig> ParseDriverConfig(std::string_view text);

// An absent file has the defaults. Errors: as above, and the kernel's.
Result<DriverConfig> ReadDriverConfig(const std::string& path);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_DRIVER_CONFIG_H_
