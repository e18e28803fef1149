// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The Landlock domain of the program, prepared while the launcher may still see every path, entered
// after it has become the program's user.

#ifndef QEMU_SHIM_LAUNCHER_CONFINEMENT_H_
#define QEMU_SHIM_LAUNCHER_CONFINEMENT_H_

#include <optional>
#include <string>

#include "broker/base/result.h"
#include "policy/profile/landlock.h"
#include "qemu-shim/launcher/options.h"

namespace openhook::launcher {

// The file of a shim, and what for.
struct ShimFile {
  std::string path;
  landlock::PathUse use;
};

class Confinement {
 public:
  // The rules for `options`, for `program` to execute and for the shim's file. Where there will be
  // no Landlock, because of an option or of the kernel, Warning() says so.
  static Result<Confinement> Prepare(const Options& options, const std::string& program,
                                     const ShimFile& shim);

  [[nodiscard]] const std::string& Warning() const { return warning_; }

  // PR_SET_NO_NEW_PRIVS, then the domain. A second time it is one more domain in the first one.
  [[nodiscard]] Result<void> Enter() const;

 private:
  std::optional<landlock::Ruleset> rules_;
  std::string warning_;
};

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_CONFINEMENT_H_
