// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Makes a host's libvirt feed the brokers, and stops it: the hook, and one line of qemu.conf. The
// lock driver lies where libvirtd looks for it since openhook was installed. Each step may be
// repeated.

#ifndef BROKER_ADOPT_HOST_FEED_H_
#define BROKER_ADOPT_HOST_FEED_H_

#include <string>
#include <vector>

#include "broker/base/result.h"

namespace openhook::adopt {

struct FeedPaths {
  std::string libvirt_dir = "/etc/libvirt";
  std::string lock_driver;  // openhook.so, where libvirtd looks for it
  std::string hook;         // openhook-hook
  [[nodiscard]] std::string QemuConf() const { return libvirt_dir + "/qemu.conf"; }
  [[nodiscard]] std::string HookLink() const { return libvirt_dir + "/hooks/qemu.d/openhook"; }
};

// What was changed, a line for each; none: it was so already. Errors: kNotFound for a part of
// openhook or of libvirt that is not installed.
Result<std::vector<std::string>> EnableFeed(const FeedPaths& paths);
Result<std::vector<std::string>> DisableFeed(const FeedPaths& paths);

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_HOST_FEED_H_
