// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The sandbox in which a definition is parsed. It is entered before the first byte is read, cannot
// be left, and is made of layers that do not need each other:
//   - no_new_privs, not dumpable, the user nobody without groups where the process was root;
//   - Landlock without a single rule, where the kernel has it: no file, no device, no signal to
//     others;
//   - a seccomp filter: reading standard input, writing standard output and error, memory, and
//     ending. Everything else (open, connect, execve, fork, ptrace, stat ...) ends the process;
//   - limits on memory, processor time, processes, files and descriptors.
// What remains: the process can burn its processor time, and write what it likes to its two
// outputs.

#ifndef BROKER_PLAN_SANDBOX_H_
#define BROKER_PLAN_SANDBOX_H_

#include "broker/base/result.h"

namespace openhook::plan {

// Errors: the first layer that the kernel refuses; the process must end then. A kernel without
// Landlock is no error, one without seccomp is.
Result<void> EnterSandbox();

}  // namespace openhook::plan

#endif  // BROKER_PLAN_SANDBOX_H_
