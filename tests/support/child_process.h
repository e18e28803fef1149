// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Runs a program to its end and returns what it said. For tests that must look at a whole process:
// a preloaded library, a launcher.

#ifndef TESTS_SUPPORT_CHILD_PROCESS_H_
#define TESTS_SUPPORT_CHILD_PROCESS_H_

#include <string>
#include <vector>

namespace openhook::testing_support {

struct ChildResult {
  int status = -1;  // exit status; 128 + signal when killed
  std::string out;
  std::string err;
};

// `environment` holds NAME=value words and is all that the program gets.
ChildResult RunChild(const std::vector<std::string>& command,
                     const std::vector<std::string>& environment);

}  // namespace openhook::testing_support

#endif  // TESTS_SUPPORT_CHILD_PROCESS_H_
