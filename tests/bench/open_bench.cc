// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open_bench PROGRAMS PRELOAD LAUNCHER FILE FEW-SOCKET FEW-PID MANY-SOCKET MANY-PID [options]
// One open(2) and close(2) of FILE in five ways, on one processor and on two: natively, through the
// bare server (the floor), through a broker with few grants and through one with many, by the
// preload library; and through the one with few by the kernel's notifications. bench.py
// starts the brokers. --benchmark_enable_random_interleaving lets the noise of a shared machine
// fall on all of them alike.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/bench/worker_process.h"

namespace openhook::bench {

namespace {

constexpr std::uint32_t kWarmUp = 100;
constexpr std::uint32_t kOpens = 1000;
constexpr int kBatchesPerRepetition = 2;
constexpr int kClientProcessor = 0;

struct Arguments {
  std::string programs;
  std::string preload;
  std::string launcher;
  std::string file;
};

// One way of opening: the worker, and the process that answers it.
struct Way {
  std::string name;
  std::unique_ptr<Worker> worker;
  pid_t server = 0;    // 0: the kernel alone
  pid_t notifier = 0;  // 0: none in between
};

Way NativeWay(const Arguments& arguments) {
  return {"native",
          std::make_unique<Worker>(Launch{{arguments.programs + "/plain_worker", arguments.file}})};
}

Way FloorWay(const Arguments& arguments) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) != 0) {
    Die("cannot make a pair of sockets");
  }
  ::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  const pid_t server =
      Start({{arguments.programs + "/bare_server", std::to_string(ends[0])}, {}, -1, -1});
  ::fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  ::fcntl(ends[1], F_SETFD, 0);
  auto worker = std::make_unique<Worker>(Launch{
      {arguments.programs + "/bare_worker", arguments.file, std::to_string(ends[1])}, {}, -1, -1});
  ::close(ends[0]);
  ::close(ends[1]);
  return {"floor", std::move(worker), server};
}

Way BrokerWay(const Arguments& arguments, const std::string& name, const char* socket,
              const char* pid) {
  Launch launch{{arguments.programs + "/plain_worker", arguments.file},
                {"LD_PRELOAD=" + arguments.preload, "OPENHOOK_SOCKET=" + std::string(socket)}};
  return {name, std::make_unique<Worker>(std::move(launch)), std::atoi(pid)};
}

// The notifier of the program that the launcher started for `socket`.
pid_t NotifierOf(const char* socket) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream name(entry.path() / "comm");
      std::ifstream words(entry.path() / "cmdline");
      std::string comm;
      std::string command;
      if (std::getline(name, comm) && comm == "openhook-notify" && std::getline(words, command) &&
          command.find(socket + std::string(1, '\0')) != std::string::npos) {
        return std::atoi(entry.path().filename().c_str());
      }
    }
    ::usleep(1000);
  }
  Die("the launcher started no notifier");
}

Way SeccompWay(const Arguments& arguments, const char* socket, const char* pid) {
  Launch launch{{arguments.launcher, "--mode=seccomp", "--socket", socket, "--",
                 arguments.programs + "/plain_worker", arguments.file},
                {}};
  auto worker = std::make_unique<Worker>(std::move(launch));
  (void)worker->Run({1});
  return {"seccomp-few", std::move(worker), std::atoi(pid), NotifierOf(socket)};
}

void Measure(benchmark::State& state, const Way& way, int server_processor) {
  PinTo(way.worker->pid(), kClientProcessor);
  if (way.server != 0) {
    PinTo(way.server, server_processor);
  }
  if (way.notifier != 0) {
    PinThreadsTo(way.notifier, server_processor);
  }
  (void)way.worker->Run({kWarmUp});
  double medians = 0;
  double p99 = 0;
  for (auto _ : state) {
    const Timing timing = way.worker->Run({kOpens});
    state.SetIterationTime(static_cast<double>(timing.total_ns) / kOpens / 1e9);
    medians += static_cast<double>(timing.median_ns);
    p99 += static_cast<double>(timing.p99_ns);
  }
  using benchmark::Counter;
  state.counters["call_median_ns"] = Counter(medians, Counter::kAvgIterations);
  state.counters["call_p99_ns"] = Counter(p99, Counter::kAvgIterations);
}

void Register(const Way& way) {
  for (const int processors : {1, 2}) {
    benchmark::RegisterBenchmark(
        ("open/" + way.name + "/processors:" + std::to_string(processors)).c_str(),
        [&way, processors](benchmark::State& state) {
          Measure(state, way, kClientProcessor + processors - 1);
        })
        ->Iterations(kBatchesPerRepetition)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

}  // namespace openhook::bench

int main(int argc, char** argv) {
  using namespace openhook::bench;
  benchmark::Initialize(&argc, argv);
  if (argc != 9) {
    std::fputs(
        "usage: open_bench PROGRAMS PRELOAD LAUNCHER FILE FEW-SOCKET FEW-PID MANY-SOCKET "
        "MANY-PID\n",
        stderr);
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  const Arguments arguments{argv[1], argv[2], argv[3], argv[4]};
  const std::array<Way, 5> ways = {NativeWay(arguments), FloorWay(arguments),
                                   BrokerWay(arguments, "broker-few", argv[5], argv[6]),
                                   BrokerWay(arguments, "broker-many", argv[7], argv[8]),
                                   SeccompWay(arguments, argv[5], argv[6])};
  for (const Way& way : ways) {
    Register(way);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
