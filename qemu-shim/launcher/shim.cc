// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/shim.h"

#include "qemu-shim/launcher/preload_shim.h"
#include "qemu-shim/launcher/seccomp_shim.h"

namespace openhook::launcher {

Result<std::unique_ptr<Shim>> PrepareShim(const Options& options) {
  return options.mode == Mode::kSeccomp ? PrepareSeccompShim(options) : PreparePreloadShim(options);
}

}  // namespace openhook::launcher
