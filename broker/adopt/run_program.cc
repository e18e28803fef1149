// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Memory files instead of pipes: nobody has to read while another writes, so all there is to wait
// for is the program's end.

#include "broker/adopt/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "broker/base/text.h"
#include "broker/base/unique_fd.h"

namespace openhook::adopt {

namespace {

constexpr const char* kPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr rlim_t kMaxOutputBytes = rlim_t{64} << 20;
constexpr int kCannotStart = 127;
constexpr int kSignalled = 128;

struct Streams {
  UniqueFd in;
  UniqueFd out;
  UniqueFd err;
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
    if (got <= 0 && errno != EINTR) {
      return FailErrno(EIO, "cannot read what a program wrote");
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  return content;
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));  // execvpe(3) does not write there
  }
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void Become(const Streams& streams, char* const* words) {
  // The program's messages are read by this one, so they have to be in one language.
  const char* const environment[] = {kPath, "LC_ALL=C.UTF-8", "HOME=/", nullptr};
  const rlimit limit{kMaxOutputBytes, kMaxOutputBytes};
  if (::dup2(streams.in.Get(), STDIN_FILENO) >= 0 &&
      ::dup2(streams.out.Get(), STDOUT_FILENO) >= 0 &&
      ::dup2(streams.err.Get(), STDERR_FILENO) >= 0 && ::setrlimit(RLIMIT_FSIZE, &limit) == 0) {
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    ::execvpe(words[0], words, const_cast<char* const*>(environment));
  }
  ::_exit(kCannotStart);
}

UniqueFd OpenProcess(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// The status of waitpid(2). Errors: kUnavailable at the deadline; it is dead then.
Result<int> WaitFor(pid_t pid, const std::string& name, std::chrono::seconds deadline) {
  const UniqueFd process = OpenProcess(pid);
  pollfd ended{process.Get(), POLLIN, 0};
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
  int ready = -1;
  do {
    ready = process.IsValid() ? ::poll(&ended, 1, static_cast<int>(limit)) : 1;
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    ::kill(pid, SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return FailErrno(errno, "cannot wait for " + name);
    }
  }
  if (ready == 0) {
    return Fail(
        ErrorCode::kUnavailable,
        name + " gave no answer within " + std::to_string(deadline.count()) + " s and was stopped");
  }
  return status;
}

Result<ProgramRun> Outcome(int status, const std::string& name, const Streams& streams) {
  const int code = WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
  if (code == kCannotStart) {
    return Fail(ErrorCode::kNotFound, "cannot run " + Quote(name) + "; is its package installed?");
  }
  if (code == kSignalled + SIGXFSZ) {
    return Fail(ErrorCode::kLimit, name + " writes without end");
  }
  auto out = Content(streams.out);
  auto err = Content(streams.err);
  if (!out || !err) {
    return tl::make_unexpected(out ? err.error() : out.error());
  }
  return ProgramRun{code, std::move(*out), std::move(*err)};
}

}  // namespace

Result<ProgramRun> RunProgram(const std::vector<std::string>& words, std::string_view input,
                              std::chrono::seconds deadline) {
  const Streams streams{MemoryFile(), MemoryFile(), MemoryFile()};
  if (!streams.in.IsValid() || !streams.out.IsValid() || !streams.err.IsValid() ||
      !Fill(streams.in, input)) {
    return FailErrno(errno, "cannot get memory for " + words.front());
  }
  const auto pointers = Pointers(words);
  const pid_t pid = ::fork();
  if (pid < 0) {
    return FailErrno(errno, "cannot start " + words.front());
  }
  if (pid == 0) {
    Become(streams, pointers.data());
  }
  return WaitFor(pid, words.front(), deadline).and_then([&](int status) {
    return Outcome(status, words.front(), streams);
  });
}

}  // namespace openhook::adopt
