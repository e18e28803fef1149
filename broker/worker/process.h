// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One worker process: forked from the broker, it does one job at a time, and may be killed at any
// moment. A thread could not: a thread that hangs in a system call can only be killed with its
// whole process (the kernel's SIGKILL is for all threads).
//
// A descriptor that a job opened never enters the broker. close(2) of a file on NFS or FUSE may
// wait for its server even when others have the file open too, so the worker itself sends the file
// with the broker's reply to the client, and closes it. Packets between the two begin with a verb:
//
//   broker                        worker
//   kJob, bytes                →
//                              ←  kDone, bytes            idle again
//                              ←  kDoneHolding, bytes     it holds a file, and waits for
//   kDeliver, bytes, socket    →                          send the bytes and the file there
//                              ←  kSent or kNotSent
//   or kDrop                   →
//                              ←  kClosed                 idle again

#ifndef BROKER_WORKER_PROCESS_H_
#define BROKER_WORKER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "broker/base/result.h"
#include "broker/base/unique_fd.h"

namespace openhook::worker {

enum class Verb : char {
  kJob = 'J',
  kDeliver = 'D',
  kDrop = 'X',
  kDone = 'd',
  kDoneHolding = 'h',
  kSent = 's',
  kNotSent = 'n',
  kClosed = 'c',
};

// What a job leads to.
struct Product {
  std::string reply;
  std::optional<IoFd> file;
};

struct Program {
  // In the new process, before anything else is done. False ends it.
  std::function<bool()> prepare;
  std::function<Product(std::span<const std::uint8_t>)> perform;
};

struct Process {
  pid_t pid = -1;
  UniqueFd socket;  // SOCK_SEQPACKET, non-blocking
};

// Forks a worker. It has no descriptor of ours but the standard streams and its socket, and ends
// when we do. To be called from a process with one thread. Errors: the kernel's.
Result<Process> StartProcess(const Program& program);

}  // namespace openhook::worker

#endif  // BROKER_WORKER_PROCESS_H_
