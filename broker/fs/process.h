// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Which process a pid means. A pid is reused; together with its start time it names one process of
// this boot.

#ifndef BROKER_FS_PROCESS_H_
#define BROKER_FS_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace openhook::fs {

// Clock ticks since boot (proc(5), field 22 of /proc/PID/stat). Absent: there is no such process.
std::optional<std::uint64_t> StartTicksOf(pid_t pid);

// /proc/PID/comm: what the process calls itself; for people only. Empty: there is no such process.
std::string ProgramOf(pid_t pid);

}  // namespace openhook::fs

#endif  // BROKER_FS_PROCESS_H_
