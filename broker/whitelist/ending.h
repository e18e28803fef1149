// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How access ends while a VM still holds the file. Writing is over at once. Reading stays possible,
// because QEMU closes a writable descriptor only after it got a read-only one, and the grant
// goes when nobody holds the file any more. Pure: who holds what is asked of a probe.

#ifndef BROKER_WHITELIST_ENDING_H_
#define BROKER_WHITELIST_ENDING_H_

#include <cstdint>
#include <functional>

#include "broker/base/held.h"
#include "broker/whitelist/whitelist.h"

namespace openhook::whitelist {

// How the VM's processes have this file open.
using HeldProbe = std::function<Held(const FileIdentity&)>;

// Adds to `change`, for each grant and own file that it takes away, an ended grant where the VM
// holds more than it may have afterwards. `now_unix` is when the lease ended.
void KeepWhatIsHeld(const Whitelist& whitelist, const HeldProbe& probe, std::int64_t now_unix,
                    Change* change);

// Takes away the ended grants whose files the VM does not hold any more, or not more than live
// leases give. An empty change: all are still held.
[[nodiscard]] Change PlanLetGo(const Whitelist& whitelist, const HeldProbe& probe);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_ENDING_H_
