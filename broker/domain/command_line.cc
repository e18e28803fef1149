// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Raw QEMU arguments. libvirt's own confinement never looks at them. What is a file in one of them
// only QEMU's parser knows, so each part that begins with a slash is taken for one, and nothing is
// granted unless the administrator asks.

#include "broker/base/text.h"
#include "broker/domain/families.h"

namespace openhook::domain {

namespace {

constexpr std::string_view kQemuNamespace = "http://libvirt.org/schemas/domain/qemu/1.0";

// Absolute paths in an argument: behind its beginning, a separator, a quote of JSON or a protocol.
std::vector<std::string> PathsIn(std::string_view argument) {
  constexpr std::string_view kEnds = ",\"' \t";
  constexpr std::string_view kBegins = ",=:\"' \t";
  std::vector<std::string> paths;
  for (std::size_t at = 0; at < argument.size(); ++at) {
    const bool begins = at == 0 || kBegins.find(argument[at - 1]) != std::string_view::npos;
    // "//" after a protocol is a host.
    if (argument[at] != '/' || !begins || argument.substr(at).starts_with("//")) {
      continue;
    }
    const std::string_view rest = argument.substr(at);
    const std::string_view path = rest.substr(0, rest.find_first_of(kEnds));
    if (path.size() > 1) {
      paths.emplace_back(path);
    }
    at += path.size() - 1;
  }
  return paths;
}

void PlanArgument(std::string_view argument, CommandLine command_line, Planning* planning) {
  for (const std::string& path : PathsIn(argument)) {
    const bool granted = command_line != CommandLine::kWarn;
    planning->Warn("qemu:commandline", "the argument " + Quote(argument, 256) + " names " +
                                           Quote(path, 256) +
                                           (granted ? ", which is granted as asked"
                                                    : ", which is not granted unless asked for "
                                                      "with --commandline"));
    if (granted) {
      planning->Add(
          {.path = path,
           .access = command_line == CommandLine::kRead ? Access::kRead : Access::kReadWrite,
           .source = "qemu:commandline"});
    }
  }
}

}  // namespace

void PlanCommandLine(const Element& domain, CommandLine command_line, Planning* planning) {
  for (const Element& element : domain.children) {
    if (element.namespace_uri != kQemuNamespace || element.name != "commandline") {
      continue;
    }
    for (const Element& word : element.children) {
      if (word.name == "arg") {
        PlanArgument(word.Attribute("value"), command_line, planning);
      }
    }
  }
}

}  // namespace openhook::domain
