// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the broker that changes the whitelist for an administrator or a manager: grants,
// revokes and jobs. Each change is resolved, planned, made durable and applied, and is one event.

#include <algorithm>
#include <ctime>

#include "broker/base/text.h"
#include "broker/fs/process.h"
#include "broker/server/broker.h"
#include "broker/server/grant_resolver.h"

namespace openhook::server {

namespace {

using whitelist::Change;
using whitelist::JobPlan;

// The names a change event is filed under: the first path says enough for a search, the sentence
// says how many there are.
audit::Event ChangeEvent(audit::Operation operation, const std::string& lease, std::string path,
                         std::string_view access, SharedSubject subject) {
  audit::Event event;
  event.operation = operation;
  event.path = std::move(path);
  event.access = access;
  event.rule = ToString(operation);
  event.leases = std::make_shared<std::vector<std::string>>(1, lease);
  event.subject = std::move(subject);
  return event;
}

audit::Event GrantEvent(const std::string& lease, const std::vector<WantedGrant>& wanted,
                        SharedSubject subject) {
  return ChangeEvent(audit::Operation::kGrant, lease, wanted.empty() ? "" : wanted.front().path,
                     wanted.empty() ? "" : ToString(wanted.front().access), std::move(subject));
}

// Completes the event with the error and passes it on.
class Refuser {
 public:
  explicit Refuser(audit::PendingEvent* event) : event_(event) {}
  tl::unexpected<Error> operator()(const Error& error) const {
    event_->Failed(error.Message());
    return tl::make_unexpected(error);
  }

 private:
  audit::PendingEvent* event_;
};

std::vector<whitelist::Grant> EndedIn(const Change& change) {
  std::vector<whitelist::Grant> ended;
  std::copy_if(change.added.begin(), change.added.end(), std::back_inserter(ended),
               [](const whitelist::Grant& grant) { return grant.ended_unix != 0; });
  return ended;
}

std::string KeptSuffix(const Change& change) {
  const std::size_t kept = EndedIn(change).size();
  return kept == 0 ? "" : "; the VM still has " + Plural(kept, "file") + " of them open";
}

}  // namespace

void Broker::Resolve(const std::string& lease, std::vector<WantedGrant> wanted,
                     std::function<void(Resolved)> done) {
  auto job = PinJobFor(wanted, options_);
  if (!job) {
    return done(tl::make_unexpected(job.error()));
  }
  jobs_.Run(std::move(*job), jobs_.Deadline(),
            [lease, wanted = std::move(wanted),
             done = std::move(done)](Result<std::vector<worker::Pinned>> pinned) {
              if (!pinned) {
                return done(tl::make_unexpected(pinned.error()));
              }
              done(GrantsFrom(wanted, lease, std::move(*pinned)));
            });
}

// Waits for the file systems; for callers that may.
Broker::Resolved Broker::ResolveHere(const std::string& lease,
                                     const std::vector<WantedGrant>& wanted) const {
  const auto job = PinJobFor(wanted, options_);
  if (!job) {
    return tl::make_unexpected(job.error());
  }
  return worker::Perform(*job).map([&](std::vector<worker::Pinned> pinned) {
    return GrantsFrom(wanted, lease, std::move(pinned));
  });
}

Result<Change> Broker::Preview(const whitelist::WantedChain& chain, const Resolved& grants) const {
  if (!grants) {
    return tl::make_unexpected(grants.error());
  }
  return chain.disk.empty() ? whitelist_.PlanGrants(*grants)
                            : PlanChainGrant(whitelist_, chain, *grants, options_.drift);
}

Result<Change> Broker::Preview(const WantedJob& wanted, const Resolved& targets) const {
  auto request = NameJob(wanted);
  if (!request || !targets) {
    return tl::make_unexpected(request ? targets.error() : request.error());
  }
  return PlanJobBegin(whitelist_, std::move(*request), *targets, ::time(nullptr))
      .map([](JobPlan plan) { return std::move(plan.change); });
}

Result<Change> Broker::Grant(const std::string& lease, const std::vector<WantedGrant>& wanted,
                             SharedSubject subject) {
  return GrantResolved(lease, wanted, ResolveHere(lease, wanted), std::move(subject));
}

Result<Change> Broker::GrantChain(const whitelist::WantedChain& chain,
                                  const std::vector<WantedGrant>& wanted, SharedSubject subject) {
  return GrantChainResolved(chain, wanted, ResolveHere(chain.lease, wanted), std::move(subject));
}

Result<JobPlan> Broker::BeginJob(const WantedJob& wanted, SharedSubject subject) {
  return BeginJobResolved(wanted, ResolveHere("", wanted.targets), std::move(subject));
}

Result<Change> Broker::GrantResolved(const std::string& lease,
                                     const std::vector<WantedGrant>& wanted, Resolved grants,
                                     SharedSubject subject) {
  audit::PendingEvent event(&audit_, GrantEvent(lease, wanted, std::move(subject)));
  const Refuser refuse(&event);
  if (wanted.empty()) {
    return refuse({ErrorCode::kInvalidArgument, 0, "the request grants nothing"});
  }
  if (!grants) {
    return refuse(grants.error());
  }
  auto change = whitelist_.PlanGrants(std::move(*grants));
  if (!change) {
    return refuse(change.error());
  }
  if (auto held = EnsureWriteLocks(*change); !held) {
    return refuse(held.error());
  }
  // A grant that narrows an earlier one of its lease ends what that gave.
  if (auto committed = CommitEnding(&*change); !committed) {
    return refuse(committed.error());
  }
  event.Allowed(Plural(wanted.size(), "file") + " granted" + KeptSuffix(*change));
  return change;
}

// A header that a VM rewrote may name another VM's disk in the same directory, which is a pool to
// the drift policy.
Result<void> Broker::CheckDriftedOwners(const whitelist::WantedChain& chain,
                                        const std::vector<whitelist::Grant>& grants) const {
  const auto record = whitelist_.chains().find(chain.disk);
  if (record == whitelist_.chains().end() ||
      chain.when_drifted == whitelist::WhenDrifted::kAccept ||
      options_.drift.policy == whitelist::DriftPolicy::kTrust) {
    return {};
  }
  const auto known = record->second.Files();
  std::vector<whitelist::Grant> fresh;
  std::copy_if(grants.begin(), grants.end(), std::back_inserter(fresh),
               [&](const whitelist::Grant& grant) { return !known.contains(grant.path); });
  return CheckOwners(chain.disk, fresh);
}

Result<void> Broker::CheckOwners(const std::string& disk,
                                 const std::vector<whitelist::Grant>& grants) const {
  for (const whitelist::Grant& grant : grants) {
    const std::string writer = grant.identity ? locks_.OtherWriter(*grant.identity) : std::string();
    if (!writer.empty()) {
      return Fail(ErrorCode::kPermission,
                  "the headers of the disk " + Quote(disk) + " lead to " + Quote(grant.path.str()) +
                      ", which the VM " + writer +
                      " may write to, and no job explains it. If it was changed on purpose: "
                      "openhookctl chain accept " +
                      Quote(disk));
    }
  }
  return {};
}

Result<Change> Broker::GrantChainResolved(const whitelist::WantedChain& chain,
                                          const std::vector<WantedGrant>& wanted, Resolved grants,
                                          SharedSubject subject) {
  audit::PendingEvent event(&audit_, GrantEvent(chain.lease, wanted, std::move(subject)));
  const Refuser refuse(&event);
  if (wanted.empty()) {
    return refuse({ErrorCode::kInvalidArgument, 0, "the request grants nothing"});
  }
  if (!grants) {
    return refuse(grants.error());
  }
  if (auto owned = CheckDriftedOwners(chain, *grants); !owned) {
    return refuse(owned.error());
  }
  auto change = PlanChainGrant(whitelist_, chain, std::move(*grants), options_.drift);
  if (!change) {
    return refuse(change.error());
  }
  if (auto held = EnsureWriteLocks(*change); !held) {
    return refuse(held.error());
  }
  if (auto committed = CommitEnding(&*change); !committed) {
    return refuse(committed.error());
  }
  event.Allowed("the chain of the disk " + Quote(chain.disk) + ", " +
                Plural(wanted.size(), "file") + ", granted" + KeptSuffix(*change));
  return change;
}

Result<Broker::Taken> Broker::Revoke(const std::string& lease,
                                     const std::vector<std::string>& paths, SharedSubject subject) {
  audit::PendingEvent event(
      &audit_, ChangeEvent(audit::Operation::kRevoke, lease, paths.empty() ? "" : paths.front(), "",
                           std::move(subject)));
  const Refuser refuse(&event);
  std::vector<std::string> names;
  for (const std::string& path : paths) {
    auto clean = LexicalClean(path, "");
    if (!clean) {
      return refuse(clean.error());
    }
    names.push_back(std::move(*clean));
  }
  auto change = whitelist_.PlanRevoke(lease, names);
  if (!change) {
    return refuse(change.error());
  }
  Taken taken;
  for (const auto id : change->removed) {
    taken.grants.push_back(whitelist_.grants().at(id));
  }
  if (auto committed = CommitEnding(&*change); !committed) {
    return refuse(committed.error());
  }
  taken.still_held = EndedIn(*change);
  event.Allowed(Plural(taken.grants.size(), "grant") + " taken back" + KeptSuffix(*change));
  return taken;
}

Result<whitelist::JobRequest> Broker::NameJob(const WantedJob& wanted) const {
  whitelist::JobRequest request = wanted.request;
  const auto canonical = [&](const std::string& name) -> Result<CanonicalPath> {
    const auto clean = LexicalClean(name, "");
    if (!clean) {
      return tl::make_unexpected(clean.error());
    }
    const auto found = whitelist_.Find(*clean);
    return found.entry != nullptr ? found.entry->path : CanonicalPath::Parse(*clean);
  };
  for (const auto& [name, image] :
       {std::pair(&wanted.top, &request.top), std::pair(&wanted.base, &request.base)}) {
    if (!name->empty()) {
      const auto path = canonical(*name);
      if (!path) {
        return tl::make_unexpected(path.error());
      }
      *image = *path;
    }
  }
  if (whitelist_.FindChain(request.disk) == nullptr && request.disk.starts_with('/')) {
    if (const auto path = canonical(request.disk)) {
      request.disk = path->str();
    }
  }
  if (request.owner.pid != 0) {
    const auto ticks = fs::StartTicksOf(request.owner.pid);
    if (!ticks) {
      return Fail(ErrorCode::kNotFound, "the process " + std::to_string(request.owner.pid) +
                                            " that is to answer for the job does not exist");
    }
    request.owner.start_ticks = *ticks;
  }
  return request;
}

Result<JobPlan> Broker::BeginJobResolved(const WantedJob& wanted, Resolved targets,
                                         SharedSubject subject) {
  audit::PendingEvent event(
      &audit_,
      ChangeEvent(audit::Operation::kJobBegin,
                  wanted.request.id.empty() ? "" : whitelist::LeaseOf(wanted.request.id),
                  wanted.targets.empty() ? wanted.request.disk : wanted.targets.front().path,
                  ToString(wanted.request.kind), std::move(subject)));
  const Refuser refuse(&event);
  auto request = NameJob(wanted);
  if (!request) {
    return refuse(request.error());
  }
  if (!targets) {
    return refuse(targets.error());
  }
  auto plan = PlanJobBegin(whitelist_, std::move(*request), std::move(*targets), ::time(nullptr));
  if (!plan) {
    return refuse(plan.error());
  }
  if (!plan->change.IsEmpty()) {
    if (auto held = EnsureWriteLocks(plan->change); !held) {
      return refuse(held.error());
    }
    if (auto committed = Commit(plan->change); !committed) {
      return refuse(committed.error());
    }
  }
  event.Allowed("the job " + plan->job.request.id +
                (plan->change.IsEmpty() ? " had begun before" : " has begun"));
  return plan;
}

Result<JobPlan> Broker::EndJob(const std::string& id, whitelist::JobState outcome,
                               SharedSubject subject) {
  audit::PendingEvent event(&audit_, ChangeEvent(audit::Operation::kJobEnd, whitelist::LeaseOf(id),
                                                 "", ToString(outcome), std::move(subject)));
  const Refuser refuse(&event);
  auto plan = PlanJobEnd(whitelist_, id, outcome, ::time(nullptr));
  if (!plan) {
    return refuse(plan.error());
  }
  if (!plan->change.IsEmpty()) {
    if (auto committed = CommitEnding(&plan->change); !committed) {
      return refuse(committed.error());
    }
  }
  event.Allowed("the job " + id + (plan->change.IsEmpty() ? " had ended before" : " has ended") +
                KeptSuffix(plan->change));
  if (!plan->job.request.disk.empty()) {
    CheckHeadersOf(plan->job.request.disk);
  }
  return plan;
}

Result<void> Broker::FollowAnnounced(const std::string& path, std::string_view access,
                                     Result<Change> plan, SharedSubject subject) {
  audit::PendingEvent event(&audit_, ChangeEvent(audit::Operation::kAnnounced, "libvirt", path,
                                                 access, std::move(subject)));
  const Refuser refuse(&event);
  if (!plan) {
    return refuse(plan.error());
  }
  if (!plan->IsEmpty()) {
    if (auto held = EnsureWriteLocks(*plan); !held) {
      return refuse(held.error());
    }
    if (auto committed = CommitEnding(&*plan); !committed) {
      return refuse(committed.error());
    }
  }
  event.Allowed(plan->IsEmpty() ? "nothing to change" : "followed" + KeptSuffix(*plan));
  return {};
}

void Broker::RecordRefused(const std::string& path, std::string_view access, const Error& error,
                           SharedSubject subject) {
  audit::PendingEvent event(&audit_, ChangeEvent(audit::Operation::kAnnounced, "libvirt", path,
                                                 access, std::move(subject)));
  event.Failed(error.Message());
}

}  // namespace openhook::server
