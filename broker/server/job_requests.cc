// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/job_requests.h"

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/server/control_messages.h"
#include "broker/server/job_messages.h"

namespace openhook::server {

namespace {

using whitelist::JobState;

constexpr std::size_t kElementOverhead = 8;
constexpr std::size_t kMaxChangeBytes = limits::kMaxControlPacket / 2;

// One page of a map, from behind `after` on.
template <class Map, class Info, class Add>
bool FillPage(const Map& map, const std::string& after, std::size_t max_bytes, Add&& add) {
  std::size_t bytes = 0;
  for (auto it = map.upper_bound(after); it != map.end(); ++it) {
    Info info;
    ToWire(it->second, &info);
    bytes += info.ByteSizeLong() + kElementOverhead;
    if (bytes >= max_bytes) {
      return true;
    }
    add(std::move(info));
  }
  return false;
}

std::string OwnerFor(const SharedSubject& subject) {
  return subject ? "uid " + std::to_string(subject->uid) : "unknown";
}

void FillJob(const Broker& broker, const whitelist::JobPlan& plan, proto::JobReply* reply) {
  ToWire(plan.job, reply->mutable_job());
  FillChange(broker.whitelist().generation(), plan.change, kMaxChangeBytes,
             reply->mutable_change());
}

}  // namespace

void FillChange(std::uint64_t generation, const whitelist::Change& change, std::size_t max_bytes,
                proto::ChangeReply* reply) {
  reply->set_generation(generation);
  std::size_t bytes = 0;
  for (const whitelist::Grant& grant : change.added) {
    proto::GrantInfo info;
    ToWire(grant, &info);
    bytes += info.ByteSizeLong() + kElementOverhead;
    if (bytes < max_bytes) {
      *(grant.ended_unix != 0 ? reply->add_still_held() : reply->add_grants()) = std::move(info);
    }
  }
}

Result<WantedJob> WantedJobFrom(const proto::JobBeginRequest& request,
                                const SharedSubject& subject) {
  auto wanted = FromWire(request);
  if (wanted && wanted->request.owner.name.empty()) {
    wanted->request.owner.name = OwnerFor(subject);
  }
  return wanted;
}

Result<void> BeginJob(Broker* broker, const WantedJob& wanted, Broker::Resolved targets,
                      const SharedSubject& subject, proto::JobReply* reply) {
  const auto plan = broker->BeginJobResolved(wanted, std::move(targets), subject);
  if (!plan) {
    return tl::make_unexpected(plan.error());
  }
  FillJob(*broker, *plan, reply);
  return {};
}

Result<void> EndJob(Broker* broker, const proto::JobEndRequest& request,
                    const SharedSubject& subject, proto::JobReply* reply) {
  const auto outcome = OutcomeFromWire(request.outcome());
  if (!outcome) {
    return Fail(ErrorCode::kInvalidArgument,
                "the request does not say how the job " + Quote(request.id()) + " has ended");
  }
  const auto plan = broker->EndJob(request.id(), *outcome, subject);
  if (!plan) {
    return tl::make_unexpected(plan.error());
  }
  FillJob(*broker, *plan, reply);
  return {};
}

void ListJobs(const Broker& broker, const proto::JobListRequest& request, std::size_t max_bytes,
              proto::JobListReply* reply) {
  std::map<std::string, whitelist::Job> shown;
  for (const auto& [id, job] : broker.whitelist().jobs()) {
    if (request.all() || job.state == JobState::kRunning) {
      shown.emplace(id, job);
    }
  }
  reply->set_more(FillPage<decltype(shown), proto::JobInfo>(
      shown, request.after_id(), max_bytes,
      [&](proto::JobInfo info) { *reply->add_jobs() = std::move(info); }));
}

void ListChains(const Broker& broker, const proto::ChainListRequest& request, std::size_t max_bytes,
                proto::ChainListReply* reply) {
  const auto& chains = broker.whitelist().chains();
  reply->set_more(FillPage<std::map<std::string, whitelist::ChainRecord>, proto::ChainInfo>(
      chains, request.after_disk(), max_bytes,
      [&](proto::ChainInfo info) { *reply->add_chains() = std::move(info); }));
}

Result<void> FindHolders(const Broker& broker, const proto::HoldersRequest& request,
                         proto::HoldersReply* reply) {
  const auto clean = LexicalClean(request.path(), "");
  if (!clean) {
    return tl::make_unexpected(clean.error());
  }
  const auto found = broker.whitelist().Find(*clean);
  if (found.entry == nullptr || !found.entry->identity) {
    return Fail(ErrorCode::kNotFound, "no file is granted under the name " + Quote(request.path()));
  }
  const auto holders = broker.HoldersOf(*found.entry->identity);
  if (!holders) {
    return tl::make_unexpected(holders.error());
  }
  for (const fs::Holder& holder : *holders) {
    auto* message = reply->add_holders();
    message->set_pid(holder.pid);
    message->set_program(Escape(holder.program));
    message->set_write(holder.how == Held::kForWriting);
  }
  for (const whitelist::Grant* grant : broker.whitelist().GrantsOf(found.entry->path)) {
    ToWire(*grant, reply->add_grants());
  }
  return {};
}

}  // namespace openhook::server
