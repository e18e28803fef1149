// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Devices that somebody with the host's rights put into the /dev of one process' own mount
// namespace, as libvirt does with what it lets a machine use. A process cannot do that for itself:
// the namespace belongs to our user namespace, its root is ours, and only root writes to that /dev.

#ifndef BROKER_FS_PRIVATE_DEVICES_H_
#define BROKER_FS_PRIVATE_DEVICES_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::fs {

// One process of this boot, whatever becomes of its pid.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
};

// The process that `pidfd` is of. Errors: kNotFound, it has ended.
Result<ProcessId> IdOf(pid_t pid, const UniqueFd& pidfd);

// The name of a character device in our /dev that the cleaned `path` is, or a symlink to. Nothing
// is looked at that is mounted below /dev, where others may make links to what hangs (/dev/shm).
// Errors: kInvalidArgument, it is none.
Result<std::string> CharacterDevice(const std::string& path);

// Is this device of ours, by its own name, in the process' /dev as well? Errors: kUnavailable, that
// cannot be told: the process is gone, or has no such /dev.
Result<bool> IsInPrivateDev(const ProcessId& process, const std::string& device);

}  // namespace openhook::fs

#endif  // BROKER_FS_PRIVATE_DEVICES_H_
