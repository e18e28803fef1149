// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/emulator.h"

#include <sys/utsname.h>

#include <algorithm>
#include <string_view>

namespace openhook::launcher {

namespace {

constexpr std::string_view kOwnPrefix = "openhook-";
constexpr std::string_view kSystemPrefix = "openhook-qemu-system-";
constexpr std::string_view kRunDirectory = "/run/openhook";
constexpr std::string_view kMasterKey = "/master-key.aes";

// QEMU's options have one dash, ours have two.
bool HasOptionsOfQemu(const std::vector<std::string>& words) {
  return words.size() > 1 && words[1].size() > 1 && words[1][0] == '-' && words[1][1] != '-' &&
         words[1] != "-h" && std::find(words.begin(), words.end(), "--") == words.end();
}

std::string ProgramFor(const std::string& own) {
  const std::string_view name = std::string_view(own).substr(own.rfind('/') + 1);
  if (name.starts_with(kSystemPrefix)) {
    return std::string(name.substr(kOwnPrefix.size()));
  }
  utsname system{};
  ::uname(&system);
  return std::string("qemu-system-") + system.machine;
}

// libvirt makes a directory for each machine, and names it for the machine's master key only: in an
// -object of its own. Other words may have such a name from whoever defined the machine.
std::optional<std::string> OwnDirectory(const std::string& argument) {
  const auto end = argument.find(kMasterKey);
  const auto begin = argument.rfind('"', end);
  if (end == std::string::npos || begin == std::string::npos || argument[begin + 1] != '/') {
    return std::nullopt;
  }
  return argument.substr(begin + 1, end - begin - 1);
}

}  // namespace

std::optional<Options> ParseEmulatorCall(const std::vector<std::string>& words) {
  if (!HasOptionsOfQemu(words)) {
    return std::nullopt;
  }
  Options options;
  options.command = words;
  options.command.front() = ProgramFor(words.front());
  const auto uuid = UuidInArguments(options.command);
  if (!uuid) {
    options.purpose = Purpose::kProbe;
    return options;
  }
  options.socket = std::string(kRunDirectory) + "/" + *uuid + "/open.sock";
  for (std::size_t i = 1; i < options.command.size(); ++i) {
    auto directory =
        options.command[i - 1] == "-object" ? OwnDirectory(options.command[i]) : std::nullopt;
    if (directory) {
      options.writable.push_back(std::move(*directory));
    }
  }
  return options;
}

}  // namespace openhook::launcher
