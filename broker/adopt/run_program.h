// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs another program, without a shell, and returns what it wrote. It gets no descriptor of ours
// but its input, and a small environment in which programs speak English.

#ifndef BROKER_ADOPT_RUN_PROGRAM_H_
#define BROKER_ADOPT_RUN_PROGRAM_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook::adopt {

struct ProgramRun {
  int status = 0;  // as its exit status; 128 and the signal where one ended it
  std::string out;
  std::string err;
};

// `words` are its name, which is looked for in PATH, and its arguments. Killed at the deadline.
// Errors: kNotFound; kUnavailable for one that took too long;
// kLimit for one that writes without end.
Result<ProgramRun> RunProgram(const std::vector<std::string>& words, std::string_view input,
                              std::chrono::seconds deadline);

}  // namespace openhook::adopt

#endif  // BROKER_ADOPT_RUN_PROGRAM_H_
