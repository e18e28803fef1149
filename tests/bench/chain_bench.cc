// SPDX-License-Identifier: LGPL-2.1-or-later
//
// chain_bench OPENHOOKCTL QEMU-IMG DIRECTORY [benchmark options]
// Reads the backing chains DIRECTORY/chain-N/top.qcow2: by two whole processes, and by the walk
// alone in this one.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "broker/chain/read_chain.h"

namespace {

constexpr int kLengths[] = {1, 10, 100, 200};

// Runs a program with its output thrown away; false unless it ends with 0.
bool RunProgram(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  return failed == 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

void MeasureProgram(benchmark::State& state, const std::vector<std::string>& words) {
  for (auto _ : state) {
    if (!RunProgram(words)) {
      state.SkipWithError("the program failed");
      return;
    }
  }
}

void MeasureWalk(benchmark::State& state, const std::string& image, int length) {
  for (auto _ : state) {
    const auto read = openhook::chain::ReadChainOf(image, "qcow2");
    if (!read || read->chain.members.size() != static_cast<std::size_t>(length)) {
      state.SkipWithError(read ? "the chain has another length" : read.error().context.c_str());
      return;
    }
  }
}

void Register(const std::string& openhookctl, const std::string& qemu_img,
              const std::string& directory) {
  for (const int length : kLengths) {
    const std::string number = std::to_string(length);
    const std::string image = directory + "/chain-" + number + "/top.qcow2";
    const std::vector<std::string> theirs = {
        qemu_img, "info", "--backing-chain", "--output=json", "-f", "qcow2", image};
    const std::vector<std::string> ours = {openhookctl, "chain", image,
                                           "--format",  "qcow2", "--json"};
    for (const auto& [name, words] :
         {std::pair{"qemu-img", theirs}, std::pair{"openhookctl", ours}}) {
      benchmark::RegisterBenchmark(("chain/" + std::string(name) + "/" + number).c_str(),
                                   MeasureProgram, words)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
    benchmark::RegisterBenchmark(("chain/walk/" + number).c_str(), MeasureWalk, image, length)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 4) {
    std::fputs("usage: chain_bench OPENHOOKCTL QEMU-IMG DIRECTORY\n", stderr);
    return 2;
  }
  Register(argv[1], argv[2], argv[3]);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
