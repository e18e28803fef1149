// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs openhookctl inside of the test and keeps what it said.

#ifndef TESTS_UNIT_CTL_RUN_CTL_H_
#define TESTS_UNIT_CTL_RUN_CTL_H_

#include <sstream>
#include <string>
#include <vector>

#include "broker/ctl/app.h"

namespace openhook::ctl {

struct CtlRun {
  int status = -1;
  std::string out;
  std::string err;
};

inline CtlRun RunCtl(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv = {"openhookctl"};
  for (const std::string& argument : arguments) {
    argv.push_back(argument.c_str());
  }
  std::ostringstream out;
  std::ostringstream err;
  const int status = RunApp(static_cast<int>(argv.size()), argv.data(), out, err);
  return {status, out.str(), err.str()};
}

}  // namespace openhook::ctl

#endif  // TESTS_UNIT_CTL_RUN_CTL_H_
