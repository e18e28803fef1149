// SPDX-License-Identifier: LGPL-2.1-or-later
//
// static_probe COMMAND ARGUMENTS: a statically linked program, which no preloaded library reaches.
// It makes one system call, or a storm of them, and prints what it got: "ok ..." or "errno N".

#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int Number(const char* text) { return static_cast<int>(std::strtol(text, nullptr, 0)); }

int Say(long value) {
  if (value < 0) {
    std::printf("errno %d\n", errno);
  } else {
    std::printf("ok\n");
  }
  return 0;
}

// What a descriptor is: its first bytes, and whether it is closed on exec.
int SayDescriptor(int fd) {
  if (fd < 0) {
    return Say(fd);
  }
  char content[64] = {};
  const ssize_t size = ::pread(fd, content, sizeof(content) - 1, 0);
  std::printf("ok '%s'%s\n", size > 0 ? content : "",
              (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 ? " closed on exec" : "");
  return 0;
}

int Open(char** words) { return SayDescriptor(::open(words[0], Number(words[1]), 0666)); }

int OpenRelative(char** words) { return ::chdir(words[0]) == 0 ? Open(words + 1) : Say(-1); }

int OpenAtDirectory(char** words) {
  const int directory = ::open(words[0], O_RDONLY | O_DIRECTORY);
  return SayDescriptor(::openat(directory, words[1], O_RDONLY));
}

int OpenHow(char** words) {
  open_how how{};
  how.flags = static_cast<unsigned long long>(Number(words[1]));
  how.resolve = static_cast<unsigned long long>(Number(words[2]));
  return SayDescriptor(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, words[0], &how, sizeof(how))));
}

int Create(char** words) {
  ::umask(static_cast<mode_t>(Number(words[1])));
  return SayDescriptor(::creat(words[0], 0666));
}

int Stat(char** words) {
  struct stat found{};
  const long value = ::syscall(SYS_stat, words[0], &found);
  if (value == 0) {
    std::printf("ok size %ld mode %o\n", static_cast<long>(found.st_size), found.st_mode);
    return 0;
  }
  return Say(value);
}

int StatExtended(char** words) {
  struct statx found{};
  const long value = ::syscall(SYS_statx, AT_FDCWD, words[0], 0, STATX_BASIC_STATS, &found);
  if (value == 0) {
    std::printf("ok size %llu mode %o\n", found.stx_size, found.stx_mode);
    return 0;
  }
  return Say(value);
}

int Access(char** words) { return Say(::syscall(SYS_access, words[0], Number(words[1]))); }
int Unlink(char** words) { return Say(::unlink(words[0])); }

int RealPath(char** words) {
  char* resolved = ::realpath(words[0], nullptr);
  if (resolved == nullptr) {
    return Say(-1);
  }
  std::printf("ok %s\n", resolved);
  return 0;
}

// COUNT opens by each of THREADS threads.
struct Storm {
  const char* path;
  int count;
  std::atomic<int> failures{0};
  std::atomic<int> last_errno{0};
};

void* Blow(void* argument) {
  Storm* storm = static_cast<Storm*>(argument);
  for (int i = 0; i < storm->count; ++i) {
    const int fd = ::open(storm->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      ++storm->failures;
      storm->last_errno = errno;
    } else {
      ::close(fd);
    }
  }
  return nullptr;
}

int RunStorm(char** words) {
  Storm storm{words[0], Number(words[1])};
  const int count = Number(words[2]);
  pthread_t threads[64];
  for (int i = 0; i < count; ++i) {
    ::pthread_create(&threads[i], nullptr, Blow, &storm);
  }
  for (int i = 0; i < count; ++i) {
    ::pthread_join(threads[i], nullptr);
  }
  std::printf("failures %d errno %d\n", storm.failures.load(), storm.last_errno.load());
  return 0;
}

// The same in one thread, under a timer whose signal has a handler with these SA_ flags.
int RunStormOfSignals(char** words) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = Number(words[2]);
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{{0, 500}, {0, 500}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
  Storm storm{words[0], Number(words[1])};
  Blow(&storm);
  std::printf("failures %d errno %d\n", storm.failures.load(), storm.last_errno.load());
  return 0;
}

// One thread opens a name that another one rewrites all the time. Prints every file that it got.
std::atomic<bool> over{false};

struct Flip {
  volatile char* name;
  const char* forms[2];
};

void* FlipName(void* argument) {
  const Flip* flip = static_cast<Flip*>(argument);
  const std::size_t size = std::strlen(flip->forms[0]);
  for (unsigned turn = 0; !over; ++turn) {
    for (std::size_t i = 0; i < size; ++i) {
      flip->name[i] = flip->forms[turn % 2][i];
    }
  }
  return nullptr;
}

int RunFlip(char** words) {
  char name[PATH_MAX] = {};
  std::strcpy(name, words[0]);
  Flip flip{name, {words[0], words[1]}};
  pthread_t thread;
  ::pthread_create(&thread, nullptr, FlipName, &flip);
  unsigned long got[64] = {};
  int kinds = 0;
  int refused = 0;
  for (int i = 0; i < Number(words[2]); ++i) {
    const int fd = ::open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      ++refused;
      continue;
    }
    struct stat found{};
    ::fstat(fd, &found);
    ::close(fd);
    int kind = 0;
    while (kind < kinds && got[kind] != found.st_ino) {
      ++kind;
    }
    if (kind == kinds && kinds < 64) {
      got[kinds++] = found.st_ino;
    }
  }
  over = true;
  ::pthread_join(thread, nullptr);
  std::printf("refused %d got", refused);
  for (int kind = 0; kind < kinds; ++kind) {
    std::printf(" %lu", got[kind]);
  }
  std::printf("\n");
  return 0;
}

// Addresses that a notifier must not stumble over; each line is what the kernel would say.
int RunHostile(char** words) {
  constexpr std::size_t kLong = 1 << 20;
  constexpr std::size_t kPage = 4096;
  char* area = static_cast<char*>(
      ::mmap(nullptr, kLong + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::memset(area, 'a', kLong);
  area[0] = '/';
  ::mprotect(area + kLong, kPage, PROT_NONE);
  std::printf("nowhere: ");
  Say(::syscall(SYS_openat, AT_FDCWD, 8, O_RDONLY));
  std::printf("not readable: ");
  Say(::syscall(SYS_openat, AT_FDCWD, area + kLong, O_RDONLY));
  std::printf("not terminated: ");
  Say(::syscall(SYS_openat, AT_FDCWD, area, O_RDONLY));
  std::printf("not terminated before the end of the memory: ");
  Say(::syscall(SYS_openat, AT_FDCWD, area + kLong - 100, O_RDONLY));
  char* last = area + kLong - std::strlen(words[0]) - 1;
  std::strcpy(last, words[0]);
  std::printf("at the very end of the memory: ");
  SayDescriptor(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, last, O_RDONLY)));
  std::printf("result where nobody can write: ");
  Say(::syscall(SYS_stat, words[0], area + kLong));
  ::mprotect(area, kLong, PROT_READ);
  std::printf("result in read-only memory: ");
  Say(::syscall(SYS_stat, words[0], area));
  std::printf("how from nowhere: ");
  Say(::syscall(SYS_openat2, AT_FDCWD, words[0], 8, sizeof(open_how)));
  std::printf("how too long: ");
  Say(::syscall(SYS_openat2, AT_FDCWD, words[0], area, 1 << 30));
  return 0;
}

// With a full table of descriptors.
int CreateWithFullTable(char** words) {
  const rlimit limit{16, 16};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  while (::dup(STDIN_FILENO) >= 0) {
  }
  return SayDescriptor(::open(words[0], Number(words[1]), 0666));
}

// One thread creates a file; while the broker does it, another one fills the table of descriptors,
// and says so by asking for the second name.
void* CreateExclusively(void* path) {
  SayDescriptor(::open(static_cast<const char*>(path), O_RDWR | O_CREAT | O_EXCL, 0666));
  return nullptr;
}

int FillMeanwhile(char** words) {
  const rlimit limit{16, 16};
  ::setrlimit(RLIMIT_NOFILE, &limit);
  pthread_t thread;
  ::pthread_create(&thread, nullptr, CreateExclusively, words[0]);
  ::usleep(200'000);
  while (::dup(STDIN_FILENO) >= 0) {
  }
  ::access(words[1], F_OK);
  ::pthread_join(thread, nullptr);
  return 0;
}

// A child that is killed while it waits; then another open.
int KilledChild(char** words) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::open(words[0], O_RDWR);
    ::_exit(1);
  }
  ::usleep(200'000);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  std::printf("killed by %d, then ", WTERMSIG(status));
  return SayDescriptor(::open(words[1], O_RDONLY));
}

// Whether anybody is our child, or a signal of one is pending.
int Children(char** /*words*/) {
  sigset_t pending;
  ::sigpending(&pending);
  errno = 0;
  const pid_t found = ::waitpid(-1, nullptr, WNOHANG);
  std::printf("waitpid %d errno %d pending %d\n", found, errno, ::sigismember(&pending, SIGCHLD));
  return 0;
}

int Execute(char** words) {
  ::execv(words[0], words);
  return Say(-1);
}

struct Command {
  const char* name;
  int arguments;
  int (*run)(char** words);
};

constexpr Command kCommands[] = {
    {"open", 2, Open},
    {"open-relative", 3, OpenRelative},
    {"open-at", 2, OpenAtDirectory},
    {"open-how", 3, OpenHow},
    {"create", 2, Create},
    {"stat", 1, Stat},
    {"statx", 1, StatExtended},
    {"access", 2, Access},
    {"unlink", 1, Unlink},
    {"realpath", 1, RealPath},
    {"storm", 3, RunStorm},
    {"signals", 3, RunStormOfSignals},
    {"flip", 3, RunFlip},
    {"hostile", 1, RunHostile},
    {"full-table", 2, CreateWithFullTable},
    {"fill-meanwhile", 2, FillMeanwhile},
    {"killed-child", 2, KilledChild},
    {"children", 0, Children},
    {"execute", 1, Execute},
};

}  // namespace

int main(int argc, char** argv) {
  for (const Command& command : kCommands) {
    if (argc >= command.arguments + 2 && std::strcmp(argv[1], command.name) == 0) {
      return command.run(argv + 2);
    }
  }
  std::fputs("usage: static_probe COMMAND ARGUMENTS\n", stderr);
  return 2;
}
