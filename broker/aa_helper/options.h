// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line of libvirt's virt-aa-helper (9.0), option for option, as libvirtd writes it.

#ifndef BROKER_AA_HELPER_OPTIONS_H_
#define BROKER_AA_HELPER_OPTIONS_H_

#include <cstdint>
#include <string>

#include "broker/base/result.h"

namespace openhook::aa_helper {

enum class Mode : std::uint8_t {
  kHelp,
  kAdd,      // load the profile from its file
  kCreate,   // make profile and rules from a definition
  kDelete,   // unload the profile, remove its rules
  kReplace,  // make the rules again, or append one
  kRemove,   // unload the profile
};

enum class Extra : std::uint8_t {
  kNone,
  kAdded,     // a rule more, beside those of the definition
  kAppended,  // a rule more, and nothing else changes
};

enum class Run : std::uint8_t { kReal, kDry };

struct Options {
  Mode mode = Mode::kHelp;
  Run run = Run::kReal;
  std::string uuid;  // of the machine, without "libvirt-"
  Extra extra = Extra::kNone;
  std::string file;
};

// Errors: kInvalidArgument in virt-aa-helper's own words.
Result<Options> ParseOptions(int argc, char* const* argv);

std::string HelpText();

}  // namespace openhook::aa_helper

#endif  // BROKER_AA_HELPER_OPTIONS_H_
