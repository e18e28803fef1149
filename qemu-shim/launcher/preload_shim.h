// SPDX-License-Identifier: LGPL-2.1-or-later
//
// --mode=preload: the dynamic loader puts libopenhook-preload.so into the program, which takes over
// the launcher's connection.

#ifndef QEMU_SHIM_LAUNCHER_PRELOAD_SHIM_H_
#define QEMU_SHIM_LAUNCHER_PRELOAD_SHIM_H_

#include <memory>

#include "qemu-shim/launcher/shim.h"

namespace openhook::launcher {

Result<std::unique_ptr<Shim>> PreparePreloadShim(const Options& options);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_PRELOAD_SHIM_H_
