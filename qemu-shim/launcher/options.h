// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The command line of openhook-qemu: options of ours, "--", then the program exactly as it would be
// called without us. Nothing behind "--" is changed, and only "-uuid" is read there; --qmp-relay
// adds its monitors at the end.

#ifndef QEMU_SHIM_LAUNCHER_OPTIONS_H_
#define QEMU_SHIM_LAUNCHER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace openhook::launcher {

enum class LandlockUse : std::uint8_t {
  kWhereAvailable,  // the default: a kernel without it gets a warning
  kRequired,
  kOff,
};

enum class Mode : std::uint8_t {
  kPreload,  // a library inside of the program asks the broker
  kSeccomp,  // a process beside it answers its system calls
};

enum class Purpose : std::uint8_t {
  kMachine,
  kProbe,  // libvirt asks a QEMU without a machine what it can do: no broker is needed
};

struct Options {
  Purpose purpose = Purpose::kMachine;
  Mode mode = Mode::kPreload;
  std::string socket;               // open.sock, absolute
  std::optional<std::string> user;  // USER[:GROUP]; absent: stay who we are
  std::vector<std::string> writable;
  std::vector<std::string> readable;
  std::vector<std::string> executable;
  std::optional<std::string> temporary;  // also in `writable`
  std::optional<std::string> preload;
  LandlockUse landlock = LandlockUse::kWhereAvailable;
  std::optional<std::string> qmp_relay;  // the socket for managers
  std::vector<std::string> command;      // the program and its arguments; not empty
};

// Text was printed (help, or what is wrong with the command line); the program ends with `status`.
struct EndWith {
  int status;
};

std::variant<Options, EndWith> ParseCommandLine(int argc, char** argv);

// The value of QEMU's -uuid, where the arguments have one.
std::optional<std::string> UuidInArguments(const std::vector<std::string>& command);

}  // namespace openhook::launcher

#endif  // QEMU_SHIM_LAUNCHER_OPTIONS_H_
