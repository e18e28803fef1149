// SPDX-License-Identifier: LGPL-2.1-or-later
//
// How the program's opens come to the broker: through a library inside of it (preload), or through
// the kernel, which stops its system calls and lets a process beside it answer (seccomp). Both are
// prepared in the same steps, in the order of main.cc.

#ifndef QEMU_SHIM_LAUNCHER_SHIM_H_
#define QEMU_SHIM_LAUNCHER_SHIM_H_

#include <memory>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "qemu-shim/launcher/confinement.h"
#include "qemu-shim/launcher/options.h"

namespace openhook::launcher {

class Shim {
 public:
  Shim() = default;
  virtual ~Shim() = default;
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;

  // What the Landlock domain must let the program's user reach.
  [[nodiscard]] virtual ShimFile File() const = 0;

  // In the domain, before the broker is asked. May put the calling process into one more.
  virtual Result<void> Start(const Confinement& confinement) = 0;

  // The last step before exec: uses the greeted connection, and gives the program's environment.
  virtual Result<std::vector<std::string>> Attach(UniqueFd connection,
                                                  const std::vector<std::string>& inherited) = 0;
};

// As ourselves, while every path can be seen. Errors: kNotFound, kPermission.
Result<std::unique_ptr<Shim>> PrepareShim(const Options& options);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_SHIM_H_
