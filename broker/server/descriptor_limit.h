// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Each lock of a file for writing is a descriptor of the broker's own, so their number has to leave
// enough for serving: a VM with many disks must not end up with a broker that can open nothing.

#ifndef BROKER_SERVER_DESCRIPTOR_LIMIT_H_
#define BROKER_SERVER_DESCRIPTOR_LIMIT_H_

#include <cstddef>

namespace openhook::server {

// Raises the soft limit of open files (RLIMIT_NOFILE) to the hard one.
void RaiseDescriptorLimit();

// How many locks may be held at a time under the limit that is in force.
std::size_t WriteLockCapacity();

}  // namespace openhook::server

#endif  // BROKER_SERVER_DESCRIPTOR_LIMIT_H_
