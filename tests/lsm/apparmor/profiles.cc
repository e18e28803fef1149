// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/lsm/apparmor/profiles.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace openhook::testing_support {

namespace {

void Parse(const std::string& option, const std::string& text) {
  const std::string file = "/tmp/profile";
  std::ofstream(file) << text;
  if (std::system(("apparmor_parser -K -q " + option + " " + file).c_str()) != 0) {
    throw std::runtime_error("apparmor_parser " + option + " refuses: " + text);
  }
}

}  // namespace

void LoadProfile(const std::string& text) { Parse("-r", text); }

void RemoveProfile(const std::string& name) { Parse("-R", "profile " + name + " {\n}\n"); }

std::string ClientProfile(const std::string& name, const std::string& flags,
                          const std::string& rules) {
  return "profile " + name + " flags=(" + flags + ") {\n" + R"(
  network unix,
  signal,
  change_profile,
  /{,usr/}lib{,64}/** mr,
  /etc/ld.so.cache r,
  /proc/** rw,
  /dev/** rw,
  )" + OPENHOOK_TEST_BIN +
         "/** mrix,\n" + rules + "\n}\n";
}

}  // namespace openhook::testing_support
