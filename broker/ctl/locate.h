// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which broker is meant: --socket says it outright, --vm names the VM below --run-dir, and with
// neither it is the only one that runs there.

#ifndef BROKER_CTL_LOCATE_H_
#define BROKER_CTL_LOCATE_H_

#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/ctl/invocation.h"

namespace openhook::ctl {

// 8-4-4-4-12 hexadecimal digits: what may stand as a directory name below the run directory.
bool IsUuid(std::string_view text);

// The VMs whose broker accepts connections below `run_dir`, sorted.
Result<std::vector<std::string>> RunningVms(const std::string& run_dir);

// The control socket to use. Errors: kNotFound when no broker runs below the run directory,
// kConflict with all candidates when several do.
Result<std::string> LocateControlSocket(const GlobalOptions& options);

}  // namespace openhook::ctl

#endif  // BROKER_CTL_LOCATE_H_
