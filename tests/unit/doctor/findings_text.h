// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Findings as lines, so that a test is a host and what is expected of it.

#ifndef TESTS_UNIT_DOCTOR_FINDINGS_TEXT_H_
#define TESTS_UNIT_DOCTOR_FINDINGS_TEXT_H_

#include <string>
#include <vector>

#include "broker/doctor/finding.h"

namespace openhook::doctor {

// "ok hook: ...".
inline std::vector<std::string> Lines(const Findings& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) {
    const char* level = finding.level == Level::kOk     ? "ok"
                        : finding.level == Level::kNote ? "note"
                                                        : "problem";
    lines.push_back(std::string(level) + " " + finding.subject + ": " + finding.sentence);
  }
  return lines;
}

// A problem says what to do.
inline bool EveryProblemHasARemedy(const Findings& findings) {
  for (const Finding& finding : findings) {
    if (finding.level == Level::kProblem && finding.remedy.empty()) {
      return false;
    }
  }
  return true;
}

}  // namespace openhook::doctor

#endif  // TESTS_UNIT_DOCTOR_FINDINGS_TEXT_H_
