// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/keeper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "broker/base/text.h"
#include "broker/relay/command_line.h"
#include "broker/relay/memory.h"
#include "broker/relay/say.h"
#include "broker/relay/sockets.h"
#include "broker/relay/worker.h"

namespace openhook::relay {

namespace {

constexpr std::chrono::seconds kLongLife(1);
constexpr int kWorkerFailed = 1;

std::string WorkingDirectory() {
  std::array<char, PATH_MAX> buffer{};
  return ::getcwd(buffer.data(), buffer.size()) == nullptr ? "/" : buffer.data();
}

Result<Memory> RememberStart(const Options& options) {
  auto memory = Memory::Make();
  if (!memory) {
    return memory;
  }
  const State start = StateAtStart(options.command, WorkingDirectory());
  return memory->Write(start.Serialize()).map([&] { return std::move(*memory); });
}

void TellReady(int ready) {
  const UniqueFd line(ready);
  if (line.IsValid()) {
    (void)!::write(line.Get(), "+", 1);
  }
}

// In the child. Never returns.
[[noreturn]] void Work(const Options& options, const UniqueFd& listener, Memory* memory,
                       pid_t keeper) {
  const auto served = RunWorker(options, listener, memory, keeper);
  if (!served) {
    Say(served.error().Message());
  }
  ::_exit(served ? 0 : kWorkerFailed);
}

// True when the worker has seen the end of QEMU.
bool WorkOnce(const Options& options, const UniqueFd& listener, Memory* memory) {
  const pid_t keeper = ::getpid();
  const pid_t worker = ::fork();
  if (worker == 0) {
    Work(options, listener, memory, keeper);
  }
  int status = 0;
  while (worker > 0 && ::waitpid(worker, &status, 0) < 0 && errno == EINTR) {
  }
  return worker > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

Result<void> Keep(const Options& options) {
  auto memory = RememberStart(options);
  if (!memory) {
    return tl::make_unexpected(memory.error());
  }
  const auto listener = ListenAt(options.listen, options.group);
  if (!listener) {
    return tl::make_unexpected(listener.error());
  }
  TellReady(options.ready);
  for (;;) {
    const auto start = std::chrono::steady_clock::now();
    if (WorkOnce(options, *listener, &*memory)) {
      break;
    }
    Say("the worker has died; another one goes on from what it remembered");
    if (std::chrono::steady_clock::now() - start < kLongLife) {
      std::this_thread::sleep_for(kLongLife);
    }
  }
  ::unlink(options.listen.c_str());
  return {};
}

}  // namespace openhook::relay
