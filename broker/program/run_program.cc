// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory files instead of pipes: nobody has to read while another writes, so all there is to wait
// for is the program's end.

#include "broker/program/run_program.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "broker/base/text.h"
#include "broker/base/unique_fd.h"

namespace openhook {

namespace {

constexpr rlim_t kMaxOutputBytes = rlim_t{64} << 20;
constexpr int kCannotStart = 127;
constexpr int kSignalled = 128;

struct Streams {
  UniqueFd in;
  UniqueFd out;
  UniqueFd err;  // invalid: this process' own is not touched
};

UniqueFd MemoryFile() { return UniqueFd(::memfd_create("openhook-run", MFD_CLOEXEC)); }

bool Fill(const UniqueFd& file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.Get(), text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
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
    if (got == 0 || (got < 0 && errno != EINTR)) {
      return FailErrno(EIO, "cannot read what a program wrote");
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  return content;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));  // execvpe(3) does not write there
  }
  pointers.push_back(nullptr);
  return pointers;
}

bool TakeStreams(const Streams& streams) {
  const rlimit limit{kMaxOutputBytes, kMaxOutputBytes};
  return ::dup2(streams.in.Get(), STDIN_FILENO) >= 0 &&
         ::dup2(streams.out.Get(), STDOUT_FILENO) >= 0 &&
         (!streams.err.IsValid() || ::dup2(streams.err.Get(), STDERR_FILENO) >= 0) &&
         ::setrlimit(RLIMIT_FSIZE, &limit) == 0 && ::close_range(STDERR_FILENO + 1, ~0U, 0) == 0;
}

// The program's own alarm, since a caller without privilege cannot end what has become another
// user. A parent may have blocked or ignored signals (libvirtd does), and a program inherits that.
void SetAlarm(std::chrono::seconds deadline) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  (void)std::signal(SIGALRM, SIG_DFL);
  ::alarm(static_cast<unsigned>(deadline.count()));
}

[[noreturn]] void Become(const Program& program, const Streams& streams,
                         const std::vector<char*>& words, const std::vector<char*>& environment) {
  SetAlarm(program.deadline.value_or(std::chrono::seconds(0)));
  if (TakeStreams(streams) && program.give_up_rights()) {
    ::execvpe(words.front(), words.data(), environment.data());
  }
  ::_exit(kCannotStart);
}

Result<int> WaitFor(pid_t pid, const std::string& name) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return FailErrno(errno, "cannot wait for " + name);
    }
  }
  return WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<ProgramRun> Outcome(int status, const Program& program, const Streams& streams) {
  const std::string& name = program.words.front();
  if (status == kCannotStart) {
    return Fail(ErrorCode::kNotFound, "cannot run " + Quote(name) + "; is its package installed?");
  }
  if (status == kSignalled + SIGXFSZ) {
    return Fail(ErrorCode::kLimit, name + " writes without end");
  }
  if (status == kSignalled + SIGALRM && program.deadline) {
    return Fail(ErrorCode::kUnavailable, name + " gave no answer within " +
                                             std::to_string(program.deadline->count()) +
                                             " s and was stopped");
  }
  auto out = Content(streams.out);
  auto err = streams.err.IsValid() ? Content(streams.err) : Result<std::string>("");
  if (!out || !err) {
    return tl::make_unexpected(out ? err.error() : out.error());
  }
  return ProgramRun{status, std::move(*out), std::move(*err)};
}

}  // namespace

Result<ProgramRun> RunProgram(const Program& program) {
  const std::string& name = program.words.front();
  const bool kept = program.complaints == Complaints::kKept;
  const Streams streams{MemoryFile(), MemoryFile(), kept ? MemoryFile() : UniqueFd()};
  if (!streams.in.IsValid() || !streams.out.IsValid() || (kept && !streams.err.IsValid()) ||
      !Fill(streams.in, program.input)) {
    return FailErrno(errno, "cannot get memory for " + name);
  }
  const auto words = Pointers(program.words);
  const auto environment = Pointers(program.environment);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return FailErrno(errno, "cannot start " + name);
  }
  if (pid == 0) {
    Become(program, streams, words, environment);
  }
  return WaitFor(pid, name).and_then([&](int status) { return Outcome(status, program, streams); });
}

}  // namespace openhook
