// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the relay knows: block nodes, the jobs that it has begun, and what it owes to the broker. It
// is written out before every step that others can see (memory.h), so that a relay that was killed
// is followed by one that knows the same. Pure data, and the transitions of it.

#ifndef BROKER_RELAY_STATE_H_
#define BROKER_RELAY_STATE_H_

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "broker/base/result.h"
#include "broker/relay/graph.h"
#include "proto/control.pb.h"

namespace openhook::relay {

// How a job of the broker is to end.
struct JobEnd {
  std::string id;
  int outcome = proto::JOB_STATE_COMPLETED;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(JobEnd, id, outcome)
};

// A place of the machine that stood on `from` stands on `to`.
struct Move {
  std::string from;
  std::string to;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Move, from, to)
};

enum class Migration : std::uint8_t { kUnchanged, kLeft, kArrived };

// What has changed when a command, or a job of QEMU, was successful.
struct Effects {
  std::vector<JobEnd> ends;
  std::vector<std::string> revokes;          // leases that end
  Nodes nodes;                               // come
  std::vector<std::string> gone;             // nodes that go
  std::map<std::string, std::string> roots;  // "qdev:ID" and the like, and the node they stand on
  std::vector<std::string> bare;             // roots that stand on nothing any more
  std::vector<Move> moves;
  // Jobs that give as long as something lives, by its name ("node:N", "chardev:C").
  std::map<std::string, std::vector<std::string>> holds;
  std::vector<std::string> released;
  Migration migration = Migration::kUnchanged;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Effects, ends, revokes, nodes, gone, roots, bare, moves, holds,
                                 released, migration)
};

// What ends a tracked job: a job of QEMU, or another thing that it tells the end of.
enum class Until : std::uint8_t { kJob, kMigration, kDump };

// How a file that the VM has open, or not, says that QEMU did what it was asked. The broker is
// asked for that, who asks the kernel.
enum class Sign : std::uint8_t { kNone, kHeld, kNotHeld, kHeldForWriting, kNotHeldForWriting };

// A job of the broker that outlives its command.
struct Tracked {
  std::string id;    // the broker's
  std::string qemu;  // QEMU's, where it is a job
  int kind = proto::JOB_KIND_UNSPECIFIED;
  Until until = Until::kJob;
  bool pivots = false;     // it changes the disk only when the manager completes it
  bool completed = false;  // the manager has said so
  bool failed = false;     // QEMU has said so
  // On which connections to QEMU the job has been seen to exist. An event of an older job of the
  // same name may still be under way on another one.
  unsigned seen = 0;
  std::string watched;  // tells how the job went, when nobody has seen its end
  Sign sign = Sign::kNone;
  Effects effects;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Tracked, id, qemu, kind, until, pivots, completed, failed, seen,
                                 watched, sign, effects)
};

// A command that QEMU has not answered.
struct Pending {
  std::vector<std::string> begun;      // jobs of the broker
  std::vector<std::string> completes;  // jobs of QEMU
  std::string watched;
  Sign sign = Sign::kNone;
  Effects effects;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Pending, begun, completes, watched, sign, effects)
};

struct State {
  std::string cwd = "/";
  Graph graph;
  std::map<std::string, std::string> roots;
  std::map<std::string, std::vector<std::string>> holds;
  std::vector<Tracked> tracked;
  std::vector<Pending> pending;  // at most one
  // Owed to the broker, in this order.
  std::vector<JobEnd> due_ends;
  std::vector<std::string> due_revokes;
  std::uint64_t next_job = 0;  // 0: to be asked of the broker
  bool left = false;           // migrated to elsewhere
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(State, cwd, graph, roots, holds, tracked, pending, due_ends,
                                 due_revokes, next_job, left)

  void Apply(const Effects& effects);
  // Ends a job with `outcome`: what it has changed is applied when it was successful.
  void Finish(const Tracked& job, int outcome);
  [[nodiscard]] bool OwesNothing() const { return due_ends.empty() && due_revokes.empty(); }

  [[nodiscard]] std::string Serialize() const;
  // Errors: kCorrupt.
  static Result<State> Parse(const std::string& text);
};

}  // namespace openhook::relay

#endif  // BROKER_RELAY_STATE_H_
