// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A job is something that QEMU does with a VM's files for a while: a commit, a mirror, a hotplug.
// It has a lease of its own, "job:" and its id, which gives exactly the access that it needs beyond
// what the VM has anyway. When it ends, that lease gives nothing, and the disk's own lease gives
// what the disk consists of then. Pure data; job_plan.h has the rules.

#ifndef BROKER_WHITELIST_JOB_H_
#define BROKER_WHITELIST_JOB_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/canonical_path.h"
#include "broker/base/result.h"
#include "broker/whitelist/chain_record.h"

namespace openhook::whitelist {

enum class JobKind : std::uint8_t {
  kCommit,      // images between top and base are written into base
  kStream,      // what lies between top and base is pulled into top
  kMirror,      // the disk is copied to a target, which may take its place
  kBackup,      // the disk is copied to a target, which never does
  kSnapshot,    // a new image is put on top of the disk
  kReopen,      // one image changes between reading and writing
  kChange,      // another medium
  kAttach,      // a disk comes to the VM
  kSave,        // the VM's memory is written to a file
  kMigrateIn,   // the VM arrives from another QEMU, which has had its disks until then
  kMigrateOut,  // the VM leaves for another QEMU
};

enum class JobState : std::uint8_t { kRunning, kCompleted, kPivoted, kAborted };

// The process that answers for a job. Its start time (clock ticks since boot, field 22 of proc(5)'s
// stat) tells it from another one with a reused pid.
struct JobOwner {
  std::string name;      // for people, like "admin:alice"
  std::int32_t pid = 0;  // 0: no process answers for it
  std::uint64_t start_ticks = 0;

  bool operator==(const JobOwner&) const = default;
};

// What was asked for. Paths are those of the chain record.
struct JobRequest {
  std::string id;  // empty: to be chosen
  JobKind kind = JobKind::kCommit;
  std::string disk;   // name of a chain record; of the new disk for kAttach; empty where none
  std::string lease;  // that shall own a new disk (kAttach)
  std::optional<CanonicalPath> top;
  std::optional<CanonicalPath> base;
  bool write = false;    // kReopen: to writing; kChange, kAttach: the new image is for writing
  bool shallow = false;  // kMirror: the target stands on the backing files of the source
  JobOwner owner;

  bool operator==(const JobRequest&) const = default;
};

struct Job {
  JobRequest request;
  JobState state = JobState::kRunning;
  std::int64_t started_unix = 0;
  std::int64_t ended_unix = 0;      // 0 while it runs
  std::vector<ChainImage> leaving;  // images that are out of the chain when it has succeeded
  std::vector<ChainImage> targets;  // images that it brings, top first

  bool operator==(const Job&) const = default;
};

std::string_view ToString(JobKind kind);
std::string_view ToString(JobState state);
std::optional<JobKind> ParseJobKind(std::string_view word);

// "job:" and the id.
std::string LeaseOf(const std::string& job_id);

bool IsJobLease(std::string_view lease);

// Ids come from outside. Errors: kInvalidArgument with the rule.
Result<void> CheckJobId(const std::string& id);

}  // namespace openhook::whitelist

#endif  // BROKER_WHITELIST_JOB_H_
