// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/plan/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "broker/base/limits.h"
#include "broker/base/text.h"

namespace openhook::plan {

namespace {

using Clock = std::chrono::steady_clock;

// Only what is named goes along.
[[noreturn]] void Become(const char* program, const char* word, int input, int output,
                         int complaints) {
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(complaints, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  const char* const words[] = {"openhook-plan", word, nullptr};
  const char* const environment[] = {nullptr};
  ::execve(program, const_cast<char* const*>(words), const_cast<char* const*>(environment));
  ::_exit(127);
}

// What is left until then, as poll(2) takes it.
int MillisecondsUntil(Child::Deadline deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

tl::unexpected<Error> TooLong() {
  return Fail(ErrorCode::kUnavailable,
              "the planning process took too long and was stopped; the definition may be made to "
              "keep it busy");
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
    return "it was stopped by its sandbox at a system call that it may not make";
  }
  if (WIFSIGNALED(status)) {
    return "it was ended by signal " + std::to_string(WTERMSIG(status));
  }
  return "it ended with status " + std::to_string(WEXITSTATUS(status));
}

// False at the end of the answer.
Result<bool> ReadSome(const UniqueFd& pipe, std::string* answer) {
  std::vector<char> buffer(std::size_t{64} << 10);
  const ssize_t got = ::read(pipe.Get(), buffer.data(), buffer.size());
  if (got < 0 && errno == EINTR) {
    return true;
  }
  if (got < 0) {
    return FailErrno(errno, "cannot read what the planning process says");
  }
  answer->append(buffer.data(), static_cast<std::size_t>(got));
  if (answer->size() > limits::kMaxPlanReply) {
    return Fail(ErrorCode::kCorrupt, "the planning process says more than a plan can be");
  }
  return got > 0;
}

}  // namespace

Result<Child> Child::Start(const std::string& program, const char* word, const UniqueFd& input) {
  std::array<int, 2> ends{-1, -1};
  UniqueFd complaints(::memfd_create("openhook-complaints", MFD_CLOEXEC));
  if (!complaints.IsValid() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return FailErrno(errno, "cannot make a pipe to the planning process");
  }
  UniqueFd answer(ends[0]);
  const UniqueFd child_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    Become(program.c_str(), word, input.Get(), child_end.Get(), complaints.Get());
  }
  if (pid < 0) {
    return FailErrno(errno, "cannot start the planning process");
  }
  return Child(program, pid, std::move(answer), std::move(complaints));
}

Child::Child(Child&& other) noexcept
    : program_(std::move(other.program_)),
      pid_(std::exchange(other.pid_, -1)),
      answer_(std::move(other.answer_)),
      complaints_(std::move(other.complaints_)) {}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    Wait(0);
  }
}

std::optional<int> Child::Wait(int flags) {
  int status = 0;
  pid_t ended = -1;
  do {
    ended = ::waitpid(pid_, &status, flags);
  } while (ended < 0 && errno == EINTR);
  if (ended != pid_) {
    return std::nullopt;
  }
  pid_ = -1;
  return status;
}

// Absent when it still runs: it has closed its answer, which ends nothing by itself.
std::optional<int> Child::WaitUntil(Deadline deadline) {
  constexpr int kStepMilliseconds = 2;
  for (;;) {
    if (const auto status = Wait(WNOHANG)) {
      return status;
    }
    const int left = MillisecondsUntil(deadline);
    if (left == 0) {
      return std::nullopt;
    }
    ::poll(nullptr, 0, std::min(left, kStepMilliseconds));
  }
}

// What it wrote before it was in its sandbox.
std::string Child::Complaints() const {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(complaints_.Get(), text.data(), text.size(), 0);
  std::string_view said(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  said = said.substr(0, said.find('\n'));
  return said.empty() ? std::string() : " (" + OneLine(said) + ")";
}

Result<std::string> Child::Answer(Deadline deadline) {
  std::string answer;
  for (bool more = true; more;) {
    pollfd ready{answer_.Get(), POLLIN, 0};
    const int polled = ::poll(&ready, 1, MillisecondsUntil(deadline));
    if (polled == 0) {
      return TooLong();
    }
    if (polled < 0) {
      continue;  // a signal
    }
    const auto got = ReadSome(answer_, &answer);
    if (!got) {
      return tl::make_unexpected(got.error());
    }
    more = *got;
  }
  const auto status = WaitUntil(deadline);
  if (!status) {
    return TooLong();
  }
  if (*status != 0) {
    return Fail(ErrorCode::kUnavailable, "the planning process " + Quote(program_) +
                                             " gave no answer: " + HowItEnded(*status) +
                                             Complaints());
  }
  return answer;
}

}  // namespace openhook::plan
