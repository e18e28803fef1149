// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/qmp_relay.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "broker/base/text.h"
#include "qemu-shim/launcher/program.h"

namespace openhook::launcher {

namespace {

constexpr int kBacklog = 8;
// Free in QEMU, which unlinks the name of a socket that it listens at when it ends: below
// /proc/self/fd of a number that is not open, that harms nobody and asks nobody.
constexpr int kFreeNumber = 900;

std::string DirectoryOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// A monitor socket of QEMU: it listens, the relay has what it takes to connect, and no name is
// left.
struct MonitorSocket {
  UniqueFd listener;
  UniqueFd name;
};

Result<MonitorSocket> MakeMonitorSocket(const UniqueFd& directory, const std::string& word) {
  const std::string path = "/proc/self/fd/" + std::to_string(directory.Get()) + "/" + word;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  MonitorSocket made;
  made.listener = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::unlinkat(directory.Get(), word.c_str(), 0);
  const mode_t before = ::umask(S_IRWXG | S_IRWXO);
  const int bound =
      ::bind(made.listener.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int sys_errno = errno;
  ::umask(before);
  if (bound != 0) {
    return FailErrno(sys_errno, "cannot make a socket for QEMU's monitor");
  }
  made.name = UniqueFd(::openat(directory.Get(), word.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  ::unlinkat(directory.Get(), word.c_str(), 0);
  if (!made.name.IsValid() || ::listen(made.listener.Get(), kBacklog) != 0) {
    return FailErrno(errno, "cannot set up a socket for QEMU's monitor");
  }
  return made;
}

Result<UniqueFd> OpenRunDirectory(const std::string& path) {
  const UniqueFd low(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  UniqueFd high(low.IsValid() ? ::fcntl(low.Get(), F_DUPFD_CLOEXEC, kFreeNumber) : -1);
  if (!high.IsValid()) {
    return FailErrno(errno, "cannot use the broker's directory " + Quote(path));
  }
  return high;
}

std::vector<std::string> ArgumentsOf(const MonitorSocket& socket, const std::string& id,
                                     const std::string& program) {
  const std::string chardev =
      "socket,id=" + id + ",server=on,wait=off,fd=" + std::to_string(socket.listener.Get());
  if (program.find("storage-daemon") != std::string::npos) {
    return {"--chardev", chardev, "--monitor", "chardev=" + id};
  }
  return {"-chardev", chardev, "-mon", "mode=control,chardev=" + id};
}

Result<std::vector<std::string>> CommandLine(const Options& options, const UniqueFd& manager,
                                             const UniqueFd& watch, const UniqueFd& ready) {
  const auto program = FindBeside("openhook-relay");
  if (!program) {
    return tl::make_unexpected(program.error());
  }
  const std::string control = DirectoryOf(options.socket) + "/control.sock";
  struct stat found{};
  if (::lstat(control.c_str(), &found) != 0) {
    return FailErrno(errno, "the relay needs the broker's " + Quote(control));
  }
  std::vector<std::string> words{*program,
                                 "--listen=" + *options.qmp_relay,
                                 "--control=" + control,
                                 "--group=" + std::to_string(found.st_gid),
                                 "--manager-fd=" + std::to_string(manager.Get()),
                                 "--watch-fd=" + std::to_string(watch.Get()),
                                 "--ready-fd=" + std::to_string(ready.Get()),
                                 "--"};
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

// In the grandchild: only what is named goes along. What the program inherits is not the relay's.
[[noreturn]] void Become(std::vector<char*>* words, const std::array<int, 3>& kept) {
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(nothing.Get(), STDIN_FILENO);
  ::dup2(nothing.Get(), STDOUT_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const int fd : kept) {
    ::fcntl(fd, F_SETFD, 0);
  }
  ::execv(words->front(), words->data());
  ::_exit(1);
}

// Twice forked: QEMU, which this process becomes, gets no child that it did not make.
void SpawnOrphan(std::vector<std::string> command, const std::array<int, 3>& kept) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (std::string& word : command) {
    words.push_back(word.data());
  }
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::fork() == 0) {
      Become(&words, kept);
    }
    ::_exit(0);
  }
  while (child > 0 && ::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool SaysReady(int pipe) {
  char byte = 0;
  ssize_t got = -1;
  do {
    got = ::read(pipe, &byte, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1;
}

Result<void> StartRelay(const Options& options, const MonitorSocket& manager,
                        const MonitorSocket& watch) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return FailErrno(errno, "cannot make a pipe");
  }
  const UniqueFd ready(ends[0]);
  UniqueFd say_ready(ends[1]);
  const auto command = CommandLine(options, manager.name, watch.name, say_ready);
  if (!command) {
    return tl::make_unexpected(command.error());
  }
  SpawnOrphan(*command, {manager.name.Get(), watch.name.Get(), say_ready.Get()});
  say_ready.Reset();
  if (!SaysReady(ready.Get())) {
    return Fail(ErrorCode::kUnavailable, "the monitor relay did not start");
  }
  return {};
}

}  // namespace

Result<void> QmpRelay::LetInherit() const {
  for (const UniqueFd& listener : listeners_) {
    if (::fcntl(listener.Get(), F_SETFD, 0) != 0) {
      return FailErrno(errno, "cannot hand a monitor socket to QEMU");
    }
  }
  return {};
}

Result<QmpRelay> QmpRelay::StartIfAsked(const Options& options,
                                        const std::optional<TargetUser>& user) {
  QmpRelay relay;
  if (!options.qmp_relay) {
    return relay;
  }
  if (user && user->uid == ::geteuid()) {
    return Fail(ErrorCode::kPermission,
                "--qmp-relay: QEMU would run as the relay's own user and could kill it; give "
                "another --user");
  }
  const auto directory = OpenRunDirectory(DirectoryOf(options.socket));
  if (!directory) {
    return tl::make_unexpected(directory.error());
  }
  const std::string mark = "monitor-" + std::to_string(::getpid());
  auto manager = MakeMonitorSocket(*directory, mark + "-m");
  auto watch = MakeMonitorSocket(*directory, mark + "-w");
  if (!manager || !watch) {
    return tl::make_unexpected(manager ? watch.error() : manager.error());
  }
  if (auto started = StartRelay(options, *manager, *watch); !started) {
    return tl::make_unexpected(started.error());
  }
  for (auto& [socket, id] :
       {std::pair(&*manager, "openhook-manager"), std::pair(&*watch, "openhook-watch")}) {
    const auto words = ArgumentsOf(*socket, id, options.command.front());
    relay.arguments_.insert(relay.arguments_.end(), words.begin(), words.end());
    relay.listeners_.push_back(std::move(socket->listener));
  }
  return relay;
}

}  // namespace openhook::launcher
