// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Another lock driver of libvirt (lockd, sanlock), to which ours passes every call on: image leases
// across hosts go on to be taken.

#ifndef BROKER_LIBVIRT_DELEGATE_H_
#define BROKER_LIBVIRT_DELEGATE_H_

#include <string>

#include "broker/base/result.h"
#include "broker/libvirt/lock_abi.h"

namespace openhook::libvirt {

// Loads the driver NAME.so that lies beside the object of `own`, and initialises it. It is never
// unloaded. Errors: kNotFound, kUnsupported, with what the loader says.
Result<LockDriver*> LoadDelegate(const std::string& name, const std::string& config_file,
                                 unsigned version, unsigned flags, const void* own);

}  // namespace openhook::libvirt

#endif  // BROKER_LIBVIRT_DELEGATE_H_
