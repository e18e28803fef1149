// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a check of the host has found, and what to do about it.

#ifndef BROKER_DOCTOR_FINDING_H_
#define BROKER_DOCTOR_FINDING_H_

#include <cstdint>
#include <string>
#include <vector>

namespace openhook::doctor {

enum class Level : std::uint8_t {
  kOk,
  kNote,     // it works; somebody should know
  kProblem,  // adopted machines do not start, or are confined less than they seem
};

struct Finding {
  Level level = Level::kOk;
  std::string subject;   // "kernel", "lock driver", ...
  std::string sentence;  // what is
  std::string remedy;    // what to do; empty where there is nothing to be done
};

using Findings = std::vector<Finding>;

inline void Add(Findings* findings, const Findings& more) {
  findings->insert(findings->end(), more.begin(), more.end());
}

}  // namespace openhook::doctor

#endif  // BROKER_DOCTOR_FINDING_H_
