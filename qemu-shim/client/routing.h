// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Who is asked first for a path: the kernel, with QEMU's own rights, or the broker. It is a matter
// of cost and of truth, never of permission: what the kernel answers is bound by QEMU's confinement
// whichever way is taken (broker/base/system_paths.h).

#ifndef QEMU_SHIM_CLIENT_ROUTING_H_
#define QEMU_SHIM_CLIENT_ROUTING_H_

#include <cstdint>
#include <string_view>

namespace openhook::client {

enum class Route : std::uint8_t {
  kNativeOnly,   // the broker has no say: no broker configured, relative to a descriptor, no path
  kNativeFirst,  // the broker is asked when the kernel says EACCES or EPERM
  kBrokerFirst,  // the kernel is asked when the broker says "not mine"
};

// `path` is absolute; `native_directories` is a colon-separated list of absolute directories.
Route RouteOf(std::string_view path, std::string_view native_directories);

// The same for a path below the working directory `cwd`. It is not resolved.
Route RouteOfRelative(std::string_view path, std::string_view cwd,
                      std::string_view native_directories);

}  // namespace openhook::client

#endif  // QEMU_SHIM_CLIENT_ROUTING_H_
