// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-aa-helper: what libvirtd runs in the place of virt-aa-helper. 0: the kernel enforces
// what was asked for; 1: it does not, and standard error says why.

#include <google/protobuf/stubs/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "broker/aa_helper/helper.h"
#include "broker/base/text.h"

namespace openhook::aa_helper {
namespace {

// libvirtd waits for us with the machine locked.
constexpr unsigned kMaxSeconds = 180;

int Complain(const std::string& sentence) {
  std::cerr << "virt-aa-helper: error: " << OneLine(sentence) << '\n';
  return 1;
}

int RunOnce(int argc, char** argv) {
  google::protobuf::SetLogHandler(nullptr);
  ::umask(S_IWGRP | S_IWOTH);
  ::alarm(kMaxSeconds);
  const auto options = ParseOptions(argc, argv);
  if (!options) {
    return Complain(options.error().Message());
  }
  std::ostream& told = options->mode == Mode::kHelp ? std::cout : std::cerr;
  const auto done = Helper(*options, Places(), told).Run();
  return done ? 0 : Complain(done.error().Message());
}

}  // namespace
}  // namespace openhook::aa_helper

int main(int argc, char** argv) {
  ::clearenv();
  ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  try {
    return openhook::aa_helper::RunOnce(argc, argv);
  } catch (const std::exception& exception) {
    return openhook::aa_helper::Complain(exception.what());
  }
}
