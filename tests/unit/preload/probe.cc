// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A program that opens files the way QEMU does, and says what it got. The tests run it with the
// shim preloaded. Not sanitised: a sanitizer's run time wants to be the first library.

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Arguments = std::vector<std::string>;

// What an open gave: the content of the file, and whether exec would close it.
void Print(const char* what, int fd) {
  if (fd < 0) {
    std::printf("%s: errno %d\n", what, errno);
    return;
  }
  char content[512] = {};
  const ssize_t size = ::pread(fd, content, sizeof(content) - 1, 0);
  const bool cloexec = (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
  std::printf("%s: '%s'%s\n", what, size > 0 ? content : "", cloexec ? " cloexec" : "");
}

template <class Signature>
Signature* Symbol(const char* name) {
  auto* symbol = reinterpret_cast<Signature*>(::dlsym(RTLD_DEFAULT, name));
  if (symbol == nullptr) {
    std::printf("%s: missing\n", name);
    std::exit(3);
  }
  return symbol;
}

int Open(const Arguments& arguments) {
  const int flags = static_cast<int>(std::strtol(arguments[1].c_str(), nullptr, 0));
  Print("open", ::open(arguments[0].c_str(), flags, 0666));
  return 0;
}

int EveryOpen(const Arguments& arguments) {
  const char* path = arguments[0].c_str();
  using OpenFunction = int(const char*, int, ...);
  using OpenAtFunction = int(int, const char*, int, ...);
  for (const char* name : {"open", "open64"}) {
    Print(name, Symbol<OpenFunction>(name)(path, O_RDONLY));
  }
  for (const char* name : {"openat", "openat64"}) {
    Print(name, Symbol<OpenAtFunction>(name)(AT_FDCWD, path, O_RDONLY));
  }
  for (const char* name : {"__open_2", "__open64_2"}) {
    Print(name, Symbol<int(const char*, int)>(name)(path, O_RDONLY));
  }
  for (const char* name : {"__openat_2", "__openat64_2"}) {
    Print(name, Symbol<int(int, const char*, int)>(name)(AT_FDCWD, path, O_RDONLY));
  }
  for (const char* name : {"creat", "creat64"}) {
    Print(name, Symbol<int(const char*, mode_t)>(name)(path, 0600));
  }
  for (const char* name : {"fopen", "fopen64"}) {
    FILE* stream = Symbol<FILE*(const char*, const char*)>(name)(path, "r");
    Print(name, stream == nullptr ? -1 : ::fileno(stream));
  }
  return 0;
}

void PrintStat(const char* what, int result, const struct stat& found) {
  if (result != 0) {
    std::printf("%s: errno %d\n", what, errno);
    return;
  }
  std::printf("%s: size %ld mode %o mtime %ld.%ld\n", what, static_cast<long>(found.st_size),
              found.st_mode, static_cast<long>(found.st_mtim.tv_sec), found.st_mtim.tv_nsec);
}

int EveryStat(const Arguments& arguments) {
  const char* path = arguments[0].c_str();
  struct stat found{};
  for (const char* name : {"stat", "stat64", "lstat", "lstat64"}) {
    PrintStat(name, Symbol<int(const char*, struct stat*)>(name)(path, &found), found);
  }
  for (const char* name : {"fstatat", "fstatat64"}) {
    using Function = int(int, const char*, struct stat*, int);
    PrintStat(name, Symbol<Function>(name)(AT_FDCWD, path, &found, 0), found);
  }
  for (const char* name : {"__xstat", "__xstat64", "__lxstat", "__lxstat64"}) {
    PrintStat(name, Symbol<int(int, const char*, struct stat*)>(name)(1, path, &found), found);
  }
  for (const char* name : {"__fxstatat", "__fxstatat64"}) {
    using Function = int(int, int, const char*, struct stat*, int);
    PrintStat(name, Symbol<Function>(name)(1, AT_FDCWD, path, &found, 0), found);
  }
  struct statx extended{};
  const int result = ::statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &extended);
  std::printf("statx: %d size %llu\n", result, extended.stx_size);
  return 0;
}

int EveryAccess(const Arguments& arguments) {
  const char* path = arguments[0].c_str();
  for (const char* name : {"access", "euidaccess", "eaccess"}) {
    const int result = Symbol<int(const char*, int)>(name)(path, R_OK | W_OK);
    std::printf("%s: %d\n", name, result == 0 ? 0 : errno);
  }
  const int result = ::faccessat(AT_FDCWD, path, R_OK | W_OK, 0);
  std::printf("faccessat: %d\n", result == 0 ? 0 : errno);
  return 0;
}

int EveryUnlink(const Arguments& arguments) {
  const char* path = arguments[0].c_str();
  std::printf("unlink: %d\n", ::unlink(path) == 0 ? 0 : errno);
  std::printf("unlinkat: %d\n", ::unlinkat(AT_FDCWD, path, 0) == 0 ? 0 : errno);
  std::printf("remove: %d\n", std::remove(path) == 0 ? 0 : errno);
  return 0;
}

int EveryTemporary(const Arguments& arguments) {
  for (const char* name : {"mkstemp", "mkstemp64"}) {
    std::string path = arguments[0];
    const int fd = Symbol<int(char*)>(name)(path.data());
    std::printf("%s ", path.c_str());
    Print(name, fd);
  }
  for (const char* name : {"mkostemp", "mkostemp64"}) {
    std::string path = arguments[0];
    const int fd = Symbol<int(char*, int)>(name)(path.data(), O_CLOEXEC);
    std::printf("%s ", path.c_str());
    Print(name, fd);
  }
  return 0;
}

int RealPath(const Arguments& arguments) {
  char* resolved = ::realpath(arguments[0].c_str(), nullptr);
  std::printf("realpath: %s\n", resolved == nullptr ? std::strerror(errno) : resolved);
  std::free(resolved);
  return 0;
}

// Opens PATH so many times with a pause of so many milliseconds.
int Repeat(const Arguments& arguments) {
  const int times = std::atoi(arguments[1].c_str());
  const auto pause = static_cast<useconds_t>(std::atoi(arguments[2].c_str()) * 1000);
  for (int i = 0; i < times; ++i) {
    const int fd = ::open(arguments[0].c_str(), O_RDONLY | O_CLOEXEC);
    Print("open", fd);
    ::close(fd);
    ::usleep(pause);
  }
  return 0;
}

int OpenWithUmask(const Arguments& arguments) {
  ::umask(static_cast<mode_t>(std::strtol(arguments[1].c_str(), nullptr, 8)));
  Print("open", ::open(arguments[0].c_str(), O_RDWR | O_CREAT, 0666));
  return 0;
}

int OpenRelative(const Arguments& arguments) {
  if (::chdir(arguments[0].c_str()) != 0) {
    return 3;
  }
  Print("relative", ::open(arguments[1].c_str(), O_RDONLY));
  const int dirfd = ::open(arguments[0].c_str(), O_RDONLY | O_DIRECTORY);
  Print("beneath a descriptor", ::openat(dirfd, arguments[1].c_str(), O_RDONLY));
  return 0;
}

int OpenWithoutRoom(const Arguments& arguments) {
  const int warm = ::open(arguments[0].c_str(), O_RDONLY);  // the connection stands
  Print("before", warm);
  std::vector<int> fillers;
  const rlimit few{64, 64};
  ::setrlimit(RLIMIT_NOFILE, &few);
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) {
    fillers.push_back(fd);
  }
  Print("full", ::open(arguments[0].c_str(), O_RDONLY));
  ::close(fillers.back());
  Print("room again", ::open(arguments[0].c_str(), O_RDONLY));
  return 0;
}

int ExitStatusOf(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int OpenInFork(const Arguments& arguments) {
  Print("before", ::open(arguments[0].c_str(), O_RDONLY));
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    Print("child", ::open(arguments[0].c_str(), O_RDONLY));
    Print("child again", ::open(arguments[0].c_str(), O_RDONLY));
    std::fflush(stdout);
    ::_exit(0);
  }
  const int status = ExitStatusOf(child);
  Print("parent", ::open(arguments[0].c_str(), O_RDONLY));
  return status;
}

// A child in its parent's memory, as posix_spawn makes them. _exit only: the stack is shared.
int OpenInVfork(const Arguments& arguments) {
  Print("before", ::open(arguments[0].c_str(), O_RDONLY));
  const char* path = arguments[0].c_str();
  const pid_t child = ::vfork();
  if (child == 0) {
    ::_exit(::open(path, O_RDONLY) >= 0 && ::open(path, O_RDONLY) >= 0 ? 0 : errno);
  }
  std::printf("child: %d\n", ExitStatusOf(child));
  Print("parent", ::open(path, O_RDONLY));
  return 0;
}

// A child that libc knows nothing of: no fork handler runs.
int OpenInRawClone(const Arguments& arguments) {
  Print("before", ::open(arguments[0].c_str(), O_RDONLY));
  std::fflush(stdout);
  const auto child =
      static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child == 0) {
    ::_exit(::open(arguments[0].c_str(), O_RDONLY) >= 0 ? 0 : errno);
  }
  std::printf("child: %d\n", ExitStatusOf(child));
  Print("parent", ::open(arguments[0].c_str(), O_RDONLY));
  return 0;
}

// Runs this program again, as an exec'd helper.
int OpenInExec(const Arguments& arguments) {
  Print("before", ::open(arguments[0].c_str(), O_RDONLY | O_CLOEXEC));
  std::fflush(stdout);
  ::execl("/proc/self/exe", "probe", "open", arguments[0].c_str(), "0",
          static_cast<char*>(nullptr));
  return 3;
}

// Threads open DIRECTORY/thread-i and compare what they got with what they asked for.
int OpenInThreads(const Arguments& arguments) {
  const int threads = std::atoi(arguments[1].c_str());
  const int opens = std::atoi(arguments[2].c_str());
  std::vector<int> wrong(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (int i = 0; i < opens; ++i) {
        const std::string path = arguments[0] + "/" + std::to_string(t) + "-" + std::to_string(i);
        char content[256] = {};
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        const ssize_t size = fd < 0 ? -1 : ::pread(fd, content, sizeof(content) - 1, 0);
        wrong[static_cast<std::size_t>(t)] += size <= 0 || path != content;
        ::close(fd);
      }
    });
  }
  int all_wrong = 0;
  for (std::size_t t = 0; t < running.size(); ++t) {
    running[t].join();
    all_wrong += wrong[t];
  }
  std::printf("wrong: %d\n", all_wrong);
  return 0;
}

const char* path_of_handler = nullptr;
volatile sig_atomic_t handler_runs = 0;
volatile sig_atomic_t handler_failures = 0;

// A handler that opens a file itself, perhaps in the middle of an open of its own thread.
void OpenInHandler(int) {
  const int saved = errno;
  const int fd = ::open(path_of_handler, O_RDONLY | O_CLOEXEC);
  handler_runs = handler_runs + 1;
  if (fd < 0) {
    handler_failures = handler_failures + 1;
  }
  ::close(fd);
  errno = saved;
}

int OpenUnderSignals(const Arguments& arguments) {
  path_of_handler = arguments[0].c_str();
  struct sigaction action{};
  action.sa_handler = OpenInHandler;  // SA_RESTART stays off
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval every_ms{{0, 1000}, {0, 1000}};
  ::setitimer(ITIMER_REAL, &every_ms, nullptr);
  int failures = 0;
  while (handler_runs < 300) {
    const int fd = ::open(arguments[0].c_str(), O_RDONLY | O_CLOEXEC);
    failures += fd < 0;
    ::close(fd);
  }
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  std::printf("failures: %d, in handlers: %d\n", failures, static_cast<int>(handler_failures));
  return 0;
}

// What a launched program finds itself to be.
int WhoAmI(const Arguments&) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  std::printf("uid %u gid %u groups %d\n", ::getuid(), ::getgid(), ::getgroups(0, nullptr));
  for (const char* name :
       {"OPENHOOK_SOCKET", "OPENHOOK_FD", "OPENHOOK_NATIVE", "LD_PRELOAD", "TMPDIR", "KEPT"}) {
    const char* value = std::getenv(name);
    std::printf("%s=%s\n", name, value == nullptr ? "(unset)" : value);
  }
  const int inherited = ::fcntl(9, F_GETFD);
  std::printf("descriptor 9: %s\n", inherited >= 0 ? "open" : "closed");
  std::printf("/etc/shadow: %d\n", ::syscall(SYS_open, "/etc/shadow", O_RDONLY) < 0 ? errno : 0);
  return 0;
}

struct Command {
  const char* name;
  std::size_t arguments;
  int (*run)(const Arguments&);
};

constexpr Command kCommands[] = {
    {"open", 2, Open},
    {"every-open", 1, EveryOpen},
    {"every-stat", 1, EveryStat},
    {"every-access", 1, EveryAccess},
    {"every-unlink", 1, EveryUnlink},
    {"every-temporary", 1, EveryTemporary},
    {"realpath", 1, RealPath},
    {"repeat", 3, Repeat},
    {"umask", 2, OpenWithUmask},
    {"relative", 2, OpenRelative},
    {"no-room", 1, OpenWithoutRoom},
    {"fork", 1, OpenInFork},
    {"vfork", 1, OpenInVfork},
    {"raw-clone", 1, OpenInRawClone},
    {"exec", 1, OpenInExec},
    {"threads", 3, OpenInThreads},
    {"signals", 1, OpenUnderSignals},
    {"who", 0, WhoAmI},
};

}  // namespace

int main(int argc, char** argv) {
  const Arguments words(argv + 1, argv + argc);
  for (const Command& command : kCommands) {
    if (!words.empty() && words[0] == command.name && words.size() == command.arguments + 1) {
      return command.run(Arguments(words.begin() + 1, words.end()));
    }
  }
  std::fprintf(stderr, "usage: probe COMMAND ARGUMENTS\n");
  return 2;
}
