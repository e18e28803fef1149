// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory files instead of pipes: nobody has to read while another writes, so all there is to wait
// for is the parser's end.

#include "policy/loader/compiler.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "broker/base/text.h"
#include "broker/base/unique_fd.h"

namespace openhook::loader {

namespace {

constexpr const char* kParser = "/sbin/apparmor_parser";
// 65000 to 65533 are given to nobody (Debian Policy, 9.2.2), so no other process has this user,
// and none can trace the parser as one of the same user might.
constexpr uid_t kNobodyElse = 65533;
constexpr unsigned kMaxSeconds = 60;
constexpr rlim_t kMaxOutputBytes = rlim_t{64} << 20;
constexpr rlim_t kMaxMemoryBytes = rlim_t{2} << 30;
constexpr std::size_t kShownBytes = 1000;
constexpr int kCannotStart = 127;

struct Streams {
  UniqueFd in;
  UniqueFd out;
  UniqueFd err;
};

UniqueFd MemoryFile() { return UniqueFd(::memfd_create("openhook-profile", MFD_CLOEXEC)); }

bool Fill(const UniqueFd& file, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(file.Get(), text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) {
      return false;
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(written, 0));
  }
  return ::lseek(file.Get(), 0, SEEK_SET) == 0;
}

Result<std::string> Content(const UniqueFd& file) {
  const off_t size = ::lseek(file.Get(), 0, SEEK_END);
  std::string content(static_cast<std::size_t>(std::max<off_t>(size, 0)), '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t got =
        ::pread(file.Get(), content.data() + done, content.size() - done, static_cast<off_t>(done));
    if (got <= 0 && errno != EINTR) {
      return FailErrno(EIO, "cannot read what apparmor_parser wrote");
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  return content;
}

bool Limit(int resource, rlim_t most) {
  const rlimit limit{most, most};
  return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
}

// In the child: nothing of ours but the three streams, and no right that is not everybody's.
bool BecomeNobody() {
  if (::geteuid() == 0 &&
      (::setgroups(0, nullptr) != 0 || ::setresgid(kNobodyElse, kNobodyElse, kNobodyElse) != 0 ||
       ::setresuid(kNobodyElse, kNobodyElse, kNobodyElse) != 0)) {
    return false;
  }
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
         Limit(RLIMIT_CORE, 0) && Limit(RLIMIT_NPROC, 0) && Limit(RLIMIT_CPU, kMaxSeconds) &&
         Limit(RLIMIT_FSIZE, kMaxOutputBytes) && Limit(RLIMIT_AS, kMaxMemoryBytes);
}

// No cache, nothing into the kernel, no processes of its own. The parser's simplification of
// expressions saves nothing here, since literal paths have none, and takes most of its time.
[[noreturn]] void RunParser(const Streams& streams, const std::string& base) {
  const char* const arguments[] = {
      kParser,      "--quiet", "--skip-kernel-load", "--skip-cache", "-j",   "0", "--base",
      base.c_str(), "-O",      "no-expr-simplify",   "--stdout",     nullptr};
  const char* const environment[] = {"LC_ALL=C", nullptr};
  const bool streams_set = ::dup2(streams.in.Get(), STDIN_FILENO) >= 0 &&
                           ::dup2(streams.out.Get(), STDOUT_FILENO) >= 0 &&
                           ::dup2(streams.err.Get(), STDERR_FILENO) >= 0;
  ::alarm(kMaxSeconds);
  if (streams_set && ::chdir("/") == 0 && BecomeNobody()) {
    ::execve(kParser, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  }
  ::_exit(kCannotStart);
}

Result<int> WaitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return FailErrno(errno, "cannot wait for apparmor_parser");
    }
  }
  return status;
}

// The parser's last words, on one line.
std::string WordsOf(const UniqueFd& err) {
  std::string words = Content(err).value_or("");
  while (!words.empty() && words.back() == '\n') {
    words.pop_back();
  }
  if (words.size() > kShownBytes) {
    words = words.substr(words.size() - kShownBytes);
  }
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words.empty() ? "it said nothing" : OneLine(words);
}

Result<std::string> OutputOf(const Streams& streams, int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == kCannotStart) {
    return Fail(ErrorCode::kUnavailable,
                std::string(kParser) + " cannot be run; install the package apparmor");
  }
  if (WIFSIGNALED(status)) {
    return Fail(ErrorCode::kUnavailable,
                "apparmor_parser was ended by signal " + std::to_string(WTERMSIG(status)) +
                    (WTERMSIG(status) == SIGALRM ? ": it took longer than a minute" : "") + "; " +
                    WordsOf(streams.err));
  }
  if (status != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "apparmor_parser does not take the profile: " + WordsOf(streams.err));
  }
  auto output = Content(streams.out);
  if (output && output->empty()) {
    return Fail(ErrorCode::kUnavailable, "apparmor_parser made nothing of the profile");
  }
  return output;
}

}  // namespace

Result<std::string> Compile(const std::string& text, const std::string& base) {
  const Streams streams{MemoryFile(), MemoryFile(), MemoryFile()};
  if (!streams.in.IsValid() || !streams.out.IsValid() || !streams.err.IsValid() ||
      !Fill(streams.in, text)) {
    return FailErrno(errno, "cannot get memory for a profile");
  }
  const pid_t pid = ::fork();
  if (pid < 0) {
    return FailErrno(errno, "cannot start apparmor_parser");
  }
  if (pid == 0) {
    RunParser(streams, base);
  }
  const auto status = WaitFor(pid);
  if (!status) {
    return tl::make_unexpected(status.error());
  }
  return OutputOf(streams, *status);
}

}  // namespace openhook::loader
