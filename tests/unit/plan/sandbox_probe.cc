// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Enters the sandbox of openhook-plan and then tries the one thing that its argument names, by the
// bare system call, as broken code would. Ends with 0 when the kernel let it, 1 when the call
// failed, and by SIGSYS when the sandbox stopped it. With a second argument "outside" it does not
// enter: what is tried must work there, or the test proves nothing.

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "broker/plan/sandbox.h"

namespace {

// The kernel takes whole registers, and an int would fill half of one.
template <class Argument>
long Register(Argument argument) {
  if constexpr (std::is_pointer_v<Argument>) {
    return reinterpret_cast<long>(argument);
  } else {
    return static_cast<long>(argument);
  }
}

long Call(long number, auto... arguments) { return ::syscall(number, Register(arguments)...); }

char* Null() { return nullptr; }

int OtherDescriptor() {
  // Made before the sandbox; as if the parent had forgotten to close it.
  static const int fd = static_cast<int>(Call(SYS_openat, AT_FDCWD, "/dev/zero", O_RDWR));
  return fd;
}

long ReadAnother() {
  char byte = 0;
  return Call(SYS_read, OtherDescriptor(), &byte, 1);
}

long WriteAnother() { return Call(SYS_write, OtherDescriptor(), "x", 1); }

long OpenBeneath() {
  open_how how{};
  how.flags = O_RDONLY;
  const long opened = Call(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
  return opened < 0 && errno == ENOSYS ? 0 : opened;  // tests/enosys runs this too
}

long Connect() {
  static const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNSPEC;  // takes the association away, which always works
  return Call(SYS_connect, fd, &address, sizeof(address));
}

long Execute() {
  const std::array<const char*, 2> words = {"/bin/true", nullptr};
  return Call(SYS_execve, "/bin/true", words.data(), Null());
}

long Fork(long number) {
  const long child = number == SYS_clone ? Call(SYS_clone, SIGCHLD, 0, 0, 0, 0) : Call(number);
  if (child == 0) {
    ::_exit(0);
  }
  return child;
}

long ExecutableMemory() {
  return Call(SYS_mmap, Null(), 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

long MakeExecutable() {
  static void* const page =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return Call(SYS_mprotect, page, 4096, PROT_READ | PROT_EXEC);
}

#ifdef __x86_64__
// getpid(2) of the 32-bit ABI: another table of calls, which the filter must not misread.
long OtherAbi() {
  long result = 20;
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result;
}
#endif

struct stat* Stat() {
  static struct stat buffer;
  return &buffer;
}

struct Attempt {
  std::string_view name;
  long (*attempt)();
};

const Attempt kAttempts[] = {
    {"open", [] { return Call(SYS_open, "/etc/passwd", O_RDONLY); }},
    {"openat", [] { return Call(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }},
    {"openat2", OpenBeneath},
    {"creat", [] { return Call(SYS_creat, "/dev/null", 0600); }},
    {"stat", [] { return Call(SYS_stat, "/", Stat()); }},
    {"lstat", [] { return Call(SYS_lstat, "/", Stat()); }},
    {"newfstatat", [] { return Call(SYS_newfstatat, AT_FDCWD, "/", Stat(), 0); }},
    {"fstat", [] { return Call(SYS_fstat, 0, Stat()); }},
    {"access", [] { return Call(SYS_access, "/", R_OK); }},
    {"getcwd",
     [] {
       static char text[4096];
       return Call(SYS_getcwd, text, sizeof(text));
     }},
    {"chdir", [] { return Call(SYS_chdir, "/"); }},
    {"unlink",
     [] { return Call(SYS_unlink, "/nothing-of-this-name") == 0 || errno == ENOENT ? 0L : -1L; }},
    {"mkdir", [] { return Call(SYS_mkdir, "/", 0700) == 0 || errno == EEXIST ? 0L : -1L; }},
    {"memfd_create", [] { return Call(SYS_memfd_create, "x", 0); }},
    {"dup", [] { return Call(SYS_dup, 0); }},
    {"socket", [] { return Call(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
    {"socketpair",
     [] {
       static int ends[2];
       return Call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends);
     }},
    {"connect", Connect},
    {"pipe",
     [] {
       static int ends[2];
       return Call(SYS_pipe, ends);
     }},
    {"execve", Execute},
    {"fork", [] { return Fork(SYS_fork); }},
    {"clone", [] { return Fork(SYS_clone); }},
    {"kill", [] { return Call(SYS_kill, ::getppid(), 0); }},
    {"tgkill-another", [] { return Call(SYS_tgkill, ::getppid(), ::getppid(), 0); }},
    {"ptrace", [] { return Call(SYS_ptrace, 0, 0, 0, 0); }},
    {"process_vm_readv", [] { return Call(SYS_process_vm_readv, ::getpid(), 0, 0, 0, 0, 0); }},
    {"pidfd_open", [] { return Call(SYS_pidfd_open, ::getpid(), 0); }},
    {"setuid", [] { return Call(SYS_setuid, ::getuid()); }},
    {"prctl", [] { return Call(SYS_prctl, 3, 0, 0, 0, 0); }},
    {"setrlimit", [] { return Call(SYS_prlimit64, 0, 7, 0, 0); }},
    {"unshare", [] { return Call(SYS_unshare, 0); }},
    {"ioctl",
     [] {
       static int count;
       return Call(SYS_ioctl, OtherDescriptor(), 0x541b, &count) == 0 || errno == ENOTTY ? 0L : -1L;
     }},
    {"mmap-executable", ExecutableMemory},
    {"mprotect-executable", MakeExecutable},
    {"read-another", ReadAnother},
    {"write-another", WriteAnother},
#ifdef __x86_64__
    {"other-abi", OtherAbi},
#endif
};

const Attempt kAllowed[] = {
    {"memory",
     [] {
       return Call(SYS_mmap, Null(), 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
     }},
    {"read-input",
     [] {
       char byte = 0;
       return Call(SYS_read, 0, &byte, 1);
     }},
};

const Attempt* Find(std::string_view name) {
  for (const Attempt& one : kAttempts) {
    if (one.name == name) {
      return &one;
    }
  }
  for (const Attempt& one : kAllowed) {
    if (one.name == name) {
      return &one;
    }
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const Attempt& one : kAttempts) {
      std::printf("%s\n", one.name.data());
    }
    return 0;
  }
  const Attempt* const attempt = argc > 1 ? Find(argv[1]) : nullptr;
  if (attempt == nullptr) {
    return 2;
  }
  const bool outside = argc > 2;
  // What these need is made beforehand.
  OtherDescriptor();
  if (attempt->name == "connect") {
    Connect();
  } else if (attempt->name == "mprotect-executable") {
    MakeExecutable();
  }
  if (!outside) {
    if (const auto entered = openhook::plan::EnterSandbox(); !entered) {
      std::fprintf(stderr, "%s\n", entered.error().Message().c_str());
      ::_exit(3);
    }
  }
  ::_exit(attempt->attempt() >= 0 ? 0 : 1);
}
