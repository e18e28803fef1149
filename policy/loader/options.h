// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What an administrator tells openhook-loader on its command line. A broker can tell it none of
// this.

#ifndef POLICY_LOADER_OPTIONS_H_
#define POLICY_LOADER_OPTIONS_H_

#include <string>
#include <vector>

#include "policy/loader/vm_profile.h"

namespace openhook::loader {

struct Options {
  ProfilePlace place;
  std::string run_dir = "/run/openhook";
  std::vector<std::string> forbidden;  // directories that no rule may lead below

  [[nodiscard]] std::string VmRunDir() const { return run_dir + "/" + place.vm.uuid; }
  [[nodiscard]] std::string Socket() const { return VmRunDir() + "/loader.sock"; }
  [[nodiscard]] std::string Lock() const { return VmRunDir() + "/loader.lock"; }
};

// What ParseOptions() decided instead of options: print `text` and exit with `status`.
struct EarlyExit {
  int status = 0;
  std::string text;
};

tl::expected<Options, EarlyExit> ParseOptions(int argc, const char* const* argv);

}  // namespace openhook::loader

#endif  // POLICY_LOADER_OPTIONS_H_
