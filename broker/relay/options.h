// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line of openhook-relay, which openhook-qemu writes.

#ifndef BROKER_RELAY_OPTIONS_H_
#define BROKER_RELAY_OPTIONS_H_

#include <sys/types.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

namespace openhook::relay {

struct Options {
  std::string listen;   // the socket for managers
  std::string control;  // the broker's control.sock
  gid_t group = 0;      // that may use it beside our own user
  // Descriptors of ours that stand for the two sockets that QEMU listens at.
  int manager_name = -1;
  int watch_name = -1;
  int ready = -1;  // where to say that managers may come; it is closed then
  std::chrono::milliseconds patience{5000};
  std::vector<std::string> command;  // QEMU's
};

// Text was printed; the program ends with `status`.
struct EndWith {
  int status;
};

std::variant<Options, EndWith> ParseCommandLine(int argc, char** argv);

}  // namespace openhook::relay

#endif  // BROKER_RELAY_OPTIONS_H_
