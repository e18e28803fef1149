// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The monitor relay of --qmp-relay: started while the launcher has its rights, with two sockets
// that QEMU will listen at and that nobody but the relay can reach.

#ifndef QEMU_SHIM_LAUNCHER_QMP_RELAY_H_
#define QEMU_SHIM_LAUNCHER_QMP_RELAY_H_

#include <optional>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"
#include "qemu-shim/launcher/options.h"
#include "qemu-shim/launcher/target_user.h"

namespace openhook::launcher {

class QmpRelay {
 public:
  // Returns when managers may connect; they wait until QEMU is there. The relay is no child of the
  // program that this process becomes, and ends with it. Errors: kPermission where QEMU would run
  // as our own user; the relay's own sentence is on standard error.
  static Result<QmpRelay> StartIfAsked(const Options& options,
                                       const std::optional<TargetUser>& user);

  // Just before the program is executed: nobody else is to inherit the sockets.
  [[nodiscard]] Result<void> LetInherit() const;

  // For QEMU's command line; none where no relay was asked for.
  [[nodiscard]] const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  std::vector<std::string> arguments_;
  std::vector<UniqueFd> listeners_;  // inherited by QEMU
};

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_QMP_RELAY_H_
