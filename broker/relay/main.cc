// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-relay: started by openhook-qemu, ends with QEMU.

#include <unistd.h>

#include <exception>
#include <iostream>
#include <variant>

#include "broker/relay/keeper.h"
#include "broker/relay/options.h"

namespace openhook::relay {
namespace {

int Complain(const std::string& what) {
  std::cerr << "openhook-relay: " << what << "\n" << std::flush;
  return 1;
}

int Run(int argc, char** argv) {
  const auto parsed = ParseCommandLine(argc, argv);
  if (const auto* end = std::get_if<EndWith>(&parsed)) {
    return end->status;
  }
  // Not what ends the terminal's other programs: QEMU's end is ours.
  ::setsid();
  const auto kept = Keep(std::get<Options>(parsed));
  return kept ? 0 : Complain(kept.error().Message());
}

}  // namespace
}  // namespace openhook::relay

// Nothing of ours throws; what the libraries may throw (no memory) ends the process with a
// sentence.
int main(int argc, char** argv) {
  try {
    return openhook::relay::Run(argc, argv);
  } catch (const std::exception& exception) {
    return openhook::relay::Complain(exception.what());
  }
}
