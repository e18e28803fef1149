// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-qemu: gives a program to the broker's care and becomes it. The order is the design:
//   1. resolve everything that names something (user, program, shim, directories), as ourselves;
//   2. start the monitor relay, where one is asked for: it keeps our rights, the program does not;
//   3. become the user, for good;
//   4. enter the Landlock domain, for good, and start the shim;
//   5. connect to the broker: the kernel notes who connected, so it must be the confined process;
//   6. attach the shim and execute the program in place.

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker/base/text.h"
#include "qemu-shim/launcher/confinement.h"
#include "qemu-shim/launcher/exit_status.h"
#include "qemu-shim/launcher/greeting.h"
#include "qemu-shim/launcher/options.h"
#include "qemu-shim/launcher/program.h"
#include "qemu-shim/launcher/qmp_relay.h"
#include "qemu-shim/launcher/shim.h"
#include "qemu-shim/launcher/target_user.h"

namespace openhook::launcher {
namespace {

void Say(const std::string& sentence) { std::cerr << "openhook-qemu: " << sentence << "\n"; }

int Refuse(const Error& error, int status = kExitRefused) {
  Say(error.Message());
  return status;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));  // execve(2) does not write there
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> InheritedEnvironment() {
  std::vector<std::string> words;
  for (char** word = environ; *word != nullptr; ++word) {
    words.emplace_back(*word);
  }
  return words;
}

Result<void> BecomeAskedUser(const std::optional<TargetUser>& user) {
  if (user) {
    return BecomeUser(*user);
  }
  if (::geteuid() == 0) {
    Say("warning: the program runs as root, whom file permissions do not hold; give --user");
  }
  return {};
}

Result<std::optional<TargetUser>> AskedUser(const Options& options) {
  if (!options.user) {
    return std::nullopt;
  }
  return ResolveUser(*options.user).map([](TargetUser user) { return std::optional(user); });
}

int Execute(const std::string& program, const std::vector<std::string>& words,
            const std::vector<std::string>& environment) {
  ::execve(program.c_str(), Pointers(words).data(), Pointers(environment).data());
  return Refuse(ErrnoError(errno, "cannot execute " + Quote(program)), kExitCannotExecute);
}

int ExecuteWithRelay(const std::string& program, const Options& options, const QmpRelay& relay,
                     const std::vector<std::string>& environment) {
  std::vector<std::string> words = options.command;
  words.insert(words.end(), relay.arguments().begin(), relay.arguments().end());
  if (const auto inherited = relay.LetInherit(); !inherited) {
    return Refuse(inherited.error());
  }
  return Execute(program, words, environment);
}

// Steps 3 to 6.
int BecomeProgram(const Options& options, const std::optional<TargetUser>& user,
                  const std::string& program, const Confinement& confinement, const QmpRelay& relay,
                  Shim* shim) {
  if (const auto became = BecomeAskedUser(user); !became) {
    return Refuse(became.error());
  }
  if (const auto entered = confinement.Enter(); !entered) {
    return Refuse(entered.error());
  }
  if (const auto started = shim->Start(confinement); !started) {
    return Refuse(started.error());
  }
  auto connection = ConnectAndGreet(options.socket, options.command.front());
  if (!connection) {
    return Refuse(connection.error());
  }
  const auto environment = shim->Attach(std::move(*connection), InheritedEnvironment());
  if (!environment) {
    return Refuse(environment.error());
  }
  return ExecuteWithRelay(program, options, relay, *environment);
}

int Run(const Options& options) {
  const auto user = AskedUser(options);
  if (!user) {
    return Refuse(user.error());
  }
  const char* search_path = std::getenv("PATH");
  const auto program =
      FindProgram(options.command.front(), search_path == nullptr ? "/usr/bin" : search_path);
  if (!program) {
    return Refuse(program.error(), program.error().code == ErrorCode::kNotFound
                                       ? kExitNotFound
                                       : kExitCannotExecute);
  }
  if (options.purpose == Purpose::kProbe) {
    return Execute(*program, options.command, InheritedEnvironment());
  }
  const auto shim = PrepareShim(options);
  if (!shim) {
    return Refuse(shim.error());
  }
  const auto confinement = Confinement::Prepare(options, *program, (*shim)->File());
  if (!confinement) {
    return Refuse(confinement.error());
  }
  if (!confinement->Warning().empty()) {
    Say("warning: " + confinement->Warning());
  }
  const auto relay = QmpRelay::StartIfAsked(options, *user);
  if (!relay) {
    return Refuse(relay.error());
  }
  return BecomeProgram(options, *user, *program, *confinement, *relay, shim->get());
}

}  // namespace
}  // namespace openhook::launcher

int main(int argc, char** argv) {
  using openhook::launcher::EndWith;
  const auto parsed = openhook::launcher::ParseCommandLine(argc, argv);
  if (const auto* end = std::get_if<EndWith>(&parsed)) {
    return end->status;
  }
  return openhook::launcher::Run(std::get<openhook::launcher::Options>(parsed));
}
