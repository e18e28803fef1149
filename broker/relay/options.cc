// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <string_view>

namespace openhook::relay {

namespace {

constexpr const char* kDescription =
    "The monitor relay: sits between a manager and QEMU's monitor, and tells the broker which "
    "files "
    "each command needs. openhook-qemu --qmp-relay PATH starts it.";

constexpr int kUsage = 2;

}  // namespace

std::variant<Options, EndWith> ParseCommandLine(int argc, char** argv) {
  Options options;
  std::int64_t patience = options.patience.count();
  CLI::App app(kDescription, "openhook-relay");
  app.set_version_flag("--version", OPENHOOK_VERSION);
  app.add_option("--listen", options.listen, "The socket for managers")->required();
  app.add_option("--control", options.control, "The broker's control.sock")->required();
  app.add_option("--group", options.group, "Number of the group that may use it")->required();
  app.add_option("--manager-fd", options.manager_name, "O_PATH descriptor of QEMU's monitor socket")
      ->required();
  app.add_option("--watch-fd", options.watch_name, "The same of the relay's own monitor")
      ->required();
  app.add_option("--ready-fd", options.ready, "Written to when managers may connect");
  app.add_option("--wait", patience, "How long a command waits for the broker, in milliseconds")
      ->envname("OPENHOOK_WAIT_MS");
  char** const end = argv + argc;
  char** const separator =
      std::find_if(argv, end, [](const char* word) { return std::string_view(word) == "--"; });
  if (separator != end) {
    options.command.assign(separator + 1, end);
  }
  try {
    app.parse(static_cast<int>(separator - argv), argv);
  } catch (const CLI::ParseError& error) {
    return EndWith{app.exit(error) == 0 ? 0 : kUsage};
  }
  options.patience = std::chrono::milliseconds(patience);
  return options;
}

}  // namespace openhook::relay
