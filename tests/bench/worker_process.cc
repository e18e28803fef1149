// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/bench/worker_process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace openhook::bench {

namespace {

void MoveTo(int fd, int standard) {
  if (fd >= 0) {
    ::dup2(fd, standard);
  }
}

[[noreturn]] void BecomeProgram(const Launch& launch) {
  MoveTo(launch.standard_input, STDIN_FILENO);
  MoveTo(launch.standard_output, STDOUT_FILENO);
  for (const std::string& assignment : launch.environment) {
    const std::size_t equals = assignment.find('=');
    ::setenv(assignment.substr(0, equals).c_str(), assignment.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> argv;
  for (const std::string& word : launch.argv) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

std::array<int, 2> MakePipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    Die("cannot make a pipe");
  }
  return ends;
}

}  // namespace

void Die(const std::string& message) {
  std::fprintf(stderr, "open_bench: %s: %s\n", message.c_str(), std::strerror(errno));
  std::exit(1);
}

pid_t Start(const Launch& launch) {
  const pid_t pid = ::fork();
  if (pid < 0) {
    Die("cannot start " + launch.argv[0]);
  }
  if (pid == 0) {
    BecomeProgram(launch);
  }
  return pid;
}

void PinTo(pid_t process, int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(processor), &set);
  if (::sched_setaffinity(process, sizeof(set), &set) != 0) {
    Die("cannot put a process on processor " + std::to_string(processor));
  }
}

void PinThreadsTo(pid_t process, int processor) {
  const std::string threads = "/proc/" + std::to_string(process) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(threads)) {
    PinTo(std::atoi(entry.path().filename().c_str()), processor);
  }
}

Worker::Worker(Launch launch) {
  const auto requests = MakePipe();
  const auto timings = MakePipe();
  launch.standard_input = requests[0];
  launch.standard_output = timings[1];
  pid_ = Start(launch);
  ::close(requests[0]);
  ::close(timings[1]);
  requests_ = requests[1];
  timings_ = timings[0];
}

Worker::~Worker() {
  ::close(requests_);
  ::close(timings_);
  ::waitpid(pid_, nullptr, 0);
}

Timing Worker::Run(Batch batch) const {
  Timing timing{};
  if (::write(requests_, &batch, sizeof(batch)) != sizeof(batch) ||
      ::read(timings_, &timing, sizeof(timing)) != sizeof(timing)) {
    Die("a worker ended early: it could not open its file");
  }
  return timing;
}

}  // namespace openhook::bench
