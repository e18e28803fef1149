// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/support/child_process.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "broker/base/unique_fd.h"

namespace openhook::testing_support {

namespace {

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) {
    pointers.push_back(const_cast<char*>(word.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string ContentOf(const UniqueFd& file) {
  struct stat found{};
  ::fstat(file.Get(), &found);
  std::string content(static_cast<std::size_t>(found.st_size), '\0');
  const ssize_t size = ::pread(file.Get(), content.data(), content.size(), 0);
  content.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return content;
}

int StatusOf(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

ChildResult RunChild(const std::vector<std::string>& command,
                     const std::vector<std::string>& environment) {
  // Memory files take any amount: a pipe would stop a talkative child.
  const UniqueFd out(::memfd_create("stdout", MFD_CLOEXEC));
  const UniqueFd err(::memfd_create("stderr", MFD_CLOEXEC));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out.Get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.Get(), STDERR_FILENO);
  pid_t child = -1;
  const int failure = ::posix_spawn(&child, command.front().c_str(), &actions, nullptr,
                                    Pointers(command).data(), Pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    return {127, "", "cannot start " + command.front()};
  }
  const int status = StatusOf(child);
  return {status, ContentOf(out), ContentOf(err)};
}

}  // namespace openhook::testing_support
