// SPDX-License-Identifier: LGPL-2.1-or-later
//
// apparmor_parser as a function from a profile's text to what the kernel takes. It runs in a
// process of its own that has no privilege: it reads the abstractions, which everybody may, and
// writes to memory of ours.

#ifndef POLICY_LOADER_COMPILER_H_
#define POLICY_LOADER_COMPILER_H_

#include <string>

#include "broker/base/result.h"

namespace openhook::loader {

// `base` is the directory that <...> in the text's includes is relative to. Waits for the parser,
// a minute at most. Errors: kInvalidArgument with the parser's own words; kUnavailable when it
// cannot be run.
Result<std::string> Compile(const std::string& text, const std::string& base);

}  // namespace openhook::loader

#endif  // POLICY_LOADER_COMPILER_H_
