// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/libvirt/child_program.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include "broker/base/text.h"
#include "broker/fs/append_file.h"

namespace openhook::libvirt {

namespace {

constexpr int kCannotExecute = 127;
constexpr std::chrono::milliseconds kPauseBeforeRestart{100};
constexpr std::chrono::milliseconds kPauseAfterFailure{1000};

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));  // execv(3) does not write there
  }
  pointers.push_back(nullptr);
  return pointers;
}

// libvirtd blocks signals in its threads, and a child inherits that.
void KeepOnly(int input, int output) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
}

[[noreturn]] void Become(const std::vector<char*>& words) {
  ::execv(words.front(), words.data());
  ::_exit(kCannotExecute);
}

Result<pid_t> StartChild(const std::vector<std::string>& words) {
  const std::vector<char*> pointers = Pointers(words);
  const pid_t pid = ::fork();
  if (pid == 0) {
    Become(pointers);
  }
  return pid < 0 ? FailErrno(errno, "cannot start " + Quote(words.front())) : Result<pid_t>(pid);
}

}  // namespace

Result<void> StartAlone(const std::vector<std::string>& words, const UniqueFd& log) {
  const auto nothing = fs::OpenNull();
  if (!nothing) {
    return tl::make_unexpected(nothing.error());
  }
  const std::vector<char*> pointers = Pointers(words);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    if (::fork() != 0) {
      ::_exit(0);
    }
    KeepOnly(nothing->Get(), log.Get());
    Become(pointers);
  }
  if (pid < 0) {
    return FailErrno(errno, "cannot start " + Quote(words.front()));
  }
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

Result<int> Supervise(const std::vector<std::string>& broker,
                      const std::vector<std::string>& loader) {
  ::prctl(PR_SET_NAME, "openhook-super");
  Result<pid_t> loading = loader.empty() ? Result<pid_t>(0) : StartChild(loader);
  Result<pid_t> serving = loading ? StartChild(broker) : loading;
  while (loading && serving) {
    int status = 0;
    const pid_t ended = ::wait(&status);
    if (ended == *serving && WIFEXITED(status)) {
      if (*loading > 0) {
        ::kill(*loading, SIGTERM);
      }
      return WEXITSTATUS(status);
    }
    // A loader that fails tries again, but not all the time.
    std::this_thread::sleep_for(WIFEXITED(status) ? kPauseAfterFailure : kPauseBeforeRestart);
    if (ended == *serving) {
      serving = StartChild(broker);
    } else if (ended == *loading) {
      loading = StartChild(loader);
    }
  }
  return tl::make_unexpected(loading ? serving.error() : loading.error());
}

}  // namespace openhook::libvirt
