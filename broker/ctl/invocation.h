// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What every subcommand is given: the global options and where its output goes.

#ifndef BROKER_CTL_INVOCATION_H_
#define BROKER_CTL_INVOCATION_H_

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "broker/base/result.h"

namespace openhook::ctl {

struct GlobalOptions {
  std::string vm;  // empty: the only one that runs
  std::string run_dir = "/run/openhook";
  std::string socket;  // empty: found from the two above
  bool json = false;
};

struct Invocation {
  GlobalOptions options;
  std::ostream& out;
  std::ostream& err;  // warnings; the error that ends a command is its Result
};

// The subcommand that the command line chose, ready to run.
using Action = std::function<Result<void>()>;

}  // namespace openhook::ctl

#endif  // BROKER_CTL_INVOCATION_H_
