// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs another program, without a shell, waits for it and returns what it wrote. It gets no
// descriptor of ours but its input, and none of our environment.

#ifndef BROKER_PROGRAM_RUN_PROGRAM_H_
#define BROKER_PROGRAM_RUN_PROGRAM_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"

namespace openhook {

enum class Complaints : std::uint8_t {
  kKept,  // its standard error is returned
  kOurs,  // it is this process' own
};

struct Program {
  std::vector<std::string> words;  // its name, which is looked for in PATH, and its arguments
  std::string_view input;
  std::optional<std::chrono::seconds> deadline = std::nullopt;
  Complaints complaints = Complaints::kKept;
  // A small one, in which programs speak English.
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                          "HOME=/"};
  // Called in the new process before it becomes the program; false: it had better not.
  std::function<bool()> give_up_rights = [] { return true; };
};

struct ProgramRun {
  int status = 0;  // as its exit status; 128 and the signal where one ended it
  std::string out;
  std::string err;
};

// Errors: kNotFound when it cannot be run; kUnavailable for one that took too long; kLimit for one
// that writes without end. Neither of the latter is there any more.
Result<ProgramRun> RunProgram(const Program& program);

}  // namespace openhook

#endif  // BROKER_PROGRAM_RUN_PROGRAM_H_
