// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The seccomp filter of the program: which of its system calls wait for the notifier. These are the
// calls that name a file, of the x86-64 ABI; all others, and every call of another ABI (i386, x32),
// run natively, with the program's own rights and so within its confinement. The filter is no
// boundary and need not be complete: it only adds access.

#ifndef QEMU_SHIM_SECCOMP_FILTER_H_
#define QEMU_SHIM_SECCOMP_FILTER_H_

#include <linux/filter.h>

#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::seccomp {

// Errors: the kernel's or the library's; none depends on input.
Result<std::vector<sock_filter>> ComposeFilter();

// Puts the calling thread and its future children under `filter` and returns the listener that gets
// their notifications. The process must have set no_new_privs and must not have other threads.
// Errors, each with its remedy: kUnsupported without seccomp (ENOSYS) or without wait-killable
// notifications (EINVAL, Linux before 5.19); kConflict where another listener is in force (EBUSY).
Result<UniqueFd> InstallFilter(const std::vector<sock_filter>& filter);

// The sentence for the errno of a failed installation.
Error InstallationError(int sys_errno);

}  // namespace openhook::seccomp

#endif  // QEMU_SHIM_SECCOMP_FILTER_H_
