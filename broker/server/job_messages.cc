// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/job_messages.h"

#include "broker/fs/process.h"
#include "broker/server/control_messages.h"

namespace openhook::server {

namespace {

using whitelist::Job;
using whitelist::JobKind;
using whitelist::JobState;

// The wire's enumerations are ours, moved up by one to make room for "not said".
static_assert(proto::JOB_KIND_COMMIT == static_cast<int>(JobKind::kCommit) + 1);
static_assert(proto::JOB_KIND_MIGRATE_OUT == static_cast<int>(JobKind::kMigrateOut) + 1);
static_assert(proto::JOB_STATE_RUNNING == static_cast<int>(JobState::kRunning) + 1);
static_assert(proto::JOB_STATE_ABORTED == static_cast<int>(JobState::kAborted) + 1);

std::optional<JobKind> KindFromWire(proto::JobKind kind) {
  return kind >= proto::JOB_KIND_COMMIT && kind <= proto::JOB_KIND_MIGRATE_OUT
             ? std::optional(static_cast<JobKind>(kind - 1))
             : std::nullopt;
}

proto::JobOwnerState OwnerState(const Job& job) {
  const whitelist::JobOwner& owner = job.request.owner;
  if (owner.pid == 0 || job.state != JobState::kRunning) {
    return proto::JOB_OWNER_STATE_NONE;
  }
  return fs::StartTicksOf(owner.pid) == owner.start_ticks ? proto::JOB_OWNER_STATE_ALIVE
                                                          : proto::JOB_OWNER_STATE_GONE;
}

}  // namespace

Result<WantedJob> FromWire(const proto::JobBeginRequest& request) {
  const auto kind = KindFromWire(request.kind());
  if (!kind) {
    return Fail(ErrorCode::kInvalidArgument, "the request has no kind of job that is known here");
  }
  auto targets = FromWire(request.targets());
  if (!targets) {
    return tl::make_unexpected(targets.error());
  }
  WantedJob wanted;
  wanted.request.id = request.id();
  wanted.request.kind = *kind;
  wanted.request.disk = request.disk();
  wanted.request.lease = request.lease();
  wanted.request.write = request.write();
  wanted.request.shallow = request.shallow();
  wanted.request.owner = {request.owner(), request.owner_pid(), 0};
  wanted.top = request.top();
  wanted.base = request.base();
  wanted.targets = std::move(*targets);
  return wanted;
}

std::optional<JobState> OutcomeFromWire(proto::JobState state) {
  return state >= proto::JOB_STATE_COMPLETED && state <= proto::JOB_STATE_ABORTED
             ? std::optional(static_cast<JobState>(state - 1))
             : std::nullopt;
}

void ToWire(const Job& job, proto::JobInfo* info) {
  const whitelist::JobRequest& request = job.request;
  info->set_id(request.id);
  info->set_kind(static_cast<proto::JobKind>(static_cast<int>(request.kind) + 1));
  info->set_state(static_cast<proto::JobState>(static_cast<int>(job.state) + 1));
  info->set_disk(request.disk);
  info->set_top(request.top ? request.top->str() : "");
  info->set_base(request.base ? request.base->str() : "");
  info->set_write(request.write);
  info->set_shallow(request.shallow);
  for (const whitelist::ChainImage& target : job.targets) {
    info->add_targets(target.path.str());
  }
  info->set_owner(request.owner.name);
  info->set_owner_pid(request.owner.pid);
  info->set_owner_state(OwnerState(job));
  info->set_started_unix(job.started_unix);
  info->set_ended_unix(job.ended_unix);
}

void ToWire(const whitelist::ChainRecord& chain, proto::ChainInfo* info) {
  info->set_disk(chain.disk);
  info->set_lease(chain.lease);
  info->set_writable(chain.writable);
  for (const whitelist::ChainImage& image : chain.images) {
    proto::ChainImage* message = info->add_images();
    message->set_path(image.path.str());
    message->set_format(image.format);
    for (const CanonicalPath& part : image.parts) {
      message->add_parts(part.str());
    }
  }
}

}  // namespace openhook::server
