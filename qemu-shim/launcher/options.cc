// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/options.h"

#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <string_view>

#include "broker/base/text.h"
#include "qemu-shim/launcher/emulator.h"
#include "qemu-shim/launcher/exit_status.h"

namespace openhook::launcher {

namespace {

constexpr const char* kDescription =
    "Runs QEMU, or any of its tools, with files that only this VM's broker can open.\n"
    "\n"
    "  openhook-qemu --vm UUID --user libvirt-qemu --writable /run/vm1 -- qemu-system-x86_64 ...\n"
    "\n"
    "The program becomes USER, loses every way to open files beyond the system's own and the\n"
    "directories named here (Landlock), is connected to the broker and started in place: same\n"
    "process, same descriptors. Every path that it opens and may not open itself goes to the\n"
    "broker, which decides by the VM's whitelist (openhookctl).";

constexpr const char* kFooter =
    "Everything behind -- is the program and its arguments. --vm may be left out when they have\n"
    "-uuid UUID.\n"
    "\n"
    "--mode=seccomp needs Linux 5.19, sets no_new_privs, and cannot be nested: where another\n"
    "seccomp listener is in force (a container manager's), the kernel says EBUSY. Each open and\n"
    "stat of the program, its libraries included, costs a detour of some microseconds.\n"
    "\n"
    "Exit status: that of the program; 1 refused or failed, 2 wrong usage, 126 the program cannot\n"
    "be executed, 127 it was not found. OPENHOOK_WAIT_MS in the environment (default 5000) is how\n"
    "long a file operation waits for a broker that restarts.";

struct RawOptions {
  std::string vm;
  std::string run_dir = "/run/openhook";
  std::string socket;
  std::string user;
  std::string temporary;
  std::string preload;
  std::string qmp_relay;
  bool no_landlock = false;
  bool require_landlock = false;
};

void Declare(CLI::App* app, RawOptions* raw, Options* options) {
  app->add_option("--vm", raw->vm, "UUID of the VM")->type_name("UUID");
  app->add_option("--run-dir", raw->run_dir, "Directory of the brokers' sockets")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_option("--socket", raw->socket, "The broker's open.sock, instead of --vm and --run-dir")
      ->type_name("PATH");
  app->add_option("--user", raw->user, "Run the program as this user, by name or number")
      ->type_name("USER[:GROUP]");
  app->add_option("--mode", options->mode,
                  "How its opens come to the broker: preload, by a library inside of it, or "
                  "seccomp, by the kernel, which also holds for static programs")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Mode>{{"preload", Mode::kPreload}, {"seccomp", Mode::kSeccomp}}))
      ->type_name("MODE")
      ->default_str("preload");
  app->add_option("--writable", options->writable,
                  "A private directory of the VM (sockets, pid file, logs): opened without the "
                  "broker. May be repeated")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app->add_option("--readable", options->readable,
                  "A file or directory that the program may read by itself, e.g. firmware that is "
                  "not below /usr. May be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app->add_option("--executable", options->executable,
                  "A file or directory that it may execute by itself. May be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app->add_option("--tmp", raw->temporary, "--writable, and the program's TMPDIR")
      ->type_name("DIR");
  app->add_option("--preload", raw->preload,
                  "The shim library; found beside this program otherwise")
      ->type_name("PATH");
  app->add_option("--qmp-relay", raw->qmp_relay,
                  "Gives QEMU a monitor at this socket, whose commands tell the broker which files "
                  "they need. Needs --user")
      ->type_name("PATH");
  auto* off = app->add_flag("--no-landlock", raw->no_landlock,
                            "Leave the program what its user id may open (prints a warning)");
  app->add_flag("--require-landlock", raw->require_landlock,
                "Refuse to start on a kernel without Landlock instead of warning")
      ->excludes(off);
}

// A socket address must fit sockaddr_un; a longer one would connect to its first 107 bytes.
constexpr std::size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;

std::optional<std::string> FaultOfDirectory(const std::string& directory) {
  if (directory.empty() || directory.front() != '/' || directory == "/") {
    return "the directory " + Quote(directory) + " must be an absolute path, and not / itself";
  }
  if (directory.find(':') != std::string::npos) {
    return "the directory " + Quote(directory) + " has a colon, which separates directories";
  }
  return std::nullopt;
}

// What is wrong with the options, as a sentence.
std::optional<std::string> FaultOf(const Options& options) {
  if (options.command.empty()) {
    return "there is no program; write it and its arguments behind --";
  }
  if (options.socket.empty()) {
    return "which VM? Give --vm UUID, or --socket PATH, or -uuid UUID among the program's "
           "arguments";
  }
  if (options.socket.front() != '/') {
    return "the socket " + Quote(options.socket) + " must be an absolute path";
  }
  if (options.socket.size() > kLongestSocketPath) {
    return "the socket path " + Quote(options.socket) + " is longer than " +
           std::to_string(kLongestSocketPath) + " bytes; use a shorter --run-dir";
  }
  if (options.qmp_relay && (!options.user || !options.qmp_relay->starts_with('/'))) {
    return "--qmp-relay takes an absolute path, and --user beside it: the relay must not run as "
           "the "
           "user that QEMU runs as";
  }
  for (const std::string& directory : options.writable) {
    if (auto fault = FaultOfDirectory(directory)) {
      return fault;
    }
  }
  return std::nullopt;
}

std::string SocketOf(const RawOptions& raw, const std::vector<std::string>& command) {
  if (!raw.socket.empty()) {
    return raw.socket;
  }
  const std::string vm = raw.vm.empty() ? UuidInArguments(command).value_or("") : raw.vm;
  return vm.empty() ? "" : raw.run_dir + "/" + vm + "/open.sock";
}

std::optional<std::string> Given(const std::string& value) {
  return value.empty() ? std::nullopt : std::optional(value);
}

void Complete(const RawOptions& raw, Options* options) {
  options->socket = SocketOf(raw, options->command);
  options->user = Given(raw.user);
  options->preload = Given(raw.preload);
  options->qmp_relay = Given(raw.qmp_relay);
  options->temporary = Given(raw.temporary);
  if (options->temporary) {
    options->writable.push_back(*options->temporary);
  }
  if (raw.no_landlock) {
    options->landlock = LandlockUse::kOff;
  } else if (raw.require_landlock) {
    options->landlock = LandlockUse::kRequired;
  }
}

}  // namespace

std::variant<Options, EndWith> ParseCommandLine(int argc, char** argv) {
  if (auto emulator = ParseEmulatorCall({argv, argv + argc})) {
    return std::move(*emulator);
  }
  Options options;
  RawOptions raw;
  CLI::App app(kDescription, "openhook-qemu");
  app.footer(kFooter);
  app.set_version_flag("--version", OPENHOOK_VERSION);
  Declare(&app, &raw, &options);

  // CLI11 never sees what is behind "--": QEMU's single-dash words are not its business.
  char** const end = argv + argc;
  char** const separator =
      std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
  if (separator != end) {
    options.command.assign(separator + 1, end);
  }
  try {
    app.parse(static_cast<int>(separator - argv), argv);
  } catch (const CLI::ParseError& error) {
    return EndWith{app.exit(error) == 0 ? 0 : kExitUsage};
  }
  Complete(raw, &options);
  if (const auto fault = FaultOf(options)) {
    std::cerr << "openhook-qemu: " << *fault << "\nRun openhook-qemu --help for the options.\n";
    return EndWith{kExitUsage};
  }
  return options;
}

std::optional<std::string> UuidInArguments(const std::vector<std::string>& command) {
  for (std::size_t i = 1; i + 1 < command.size(); ++i) {
    if (command[i] == "-uuid" || command[i] == "--uuid") {
      return command[i + 1];
    }
  }
  return std::nullopt;
}

}  // namespace openhook::launcher
