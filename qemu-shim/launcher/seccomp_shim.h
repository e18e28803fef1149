// SPDX-License-Identifier: LGPL-2.1-or-later
//
// --mode=seccomp: the kernel stops the program's system calls that name files, and a notifier
// answers them, supervised by a keeper (qemu-shim/seccomp). The two are started here.
//
// The keeper is in the Landlock domain of the options, so it can open no more than the program; the
// program is in the same rules once more, one level below. So the kernel lets the keeper look into
// the program's memory, and not the other way round.

#ifndef QEMU_SHIM_LAUNCHER_SECCOMP_SHIM_H_
#define QEMU_SHIM_LAUNCHER_SECCOMP_SHIM_H_

#include <memory>

#include "qemu-shim/launcher/shim.h"

namespace openhook::launcher {

Result<std::unique_ptr<Shim>> PrepareSeccompShim(const Options& options);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_SECCOMP_SHIM_H_
