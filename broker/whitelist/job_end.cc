// SPDX-License-Identifier: LGPL-2.1-or-later

#include <algorithm>
#include <map>
#include <set>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/whitelist/chain_grant.h"
#include "broker/whitelist/job_plan.h"

namespace openhook::whitelist {

namespace {

// What a disk's own lease has to give of one file.
struct Share {
  GrantAccess access = GrantAccess::kRead;
  std::uint32_t depth = 0;
  std::string_view role;
  std::string format;
};
using Shares = std::map<CanonicalPath, Share>;

Shares SharesOf(const ChainRecord& chain, GrantAccess active) {
  Shares shares;
  for (std::size_t i = 0; i < chain.images.size(); ++i) {
    const ChainImage& image = chain.images[i];
    const GrantAccess access = i == 0 ? active : GrantAccess::kRead;
    const auto depth = static_cast<std::uint32_t>(i);
    shares[image.path] = {access, depth, i == 0 ? "image" : "backing", image.format};
    for (const CanonicalPath& part : image.parts) {
      shares[part] = {access, depth, "", "raw"};
    }
  }
  return shares;
}

GrantAccess AccessTo(const ChainRecord& chain) {
  return chain.writable ? GrantAccess::kReadWrite : GrantAccess::kRead;
}

// Plans the end of one job: what its lease gave goes, and the leases of disks follow their chains.
class Ending {
 public:
  Ending(const Whitelist& whitelist, Job job) : whitelist_(whitelist), job_(std::move(job)) {
    change_.generation = whitelist.generation() + 1;
    next_ = whitelist.next_id();
    TakeBackLease();
  }

  // The disk's chain is `chain` from now on, and the VM has `active` access to its first image.
  Result<void> SetChain(const ChainRecord& chain, GrantAccess active) {
    const auto old = whitelist_.chains().find(chain.disk);
    if (old != whitelist_.chains().end()) {
      TakeBackLeaving(whitelist_, old->second, chain, &change_);
    }
    for (const auto& [path, share] : SharesOf(chain, active)) {
      if (auto given = Give(chain, path, share); !given) {
        return given;
      }
    }
    change_.chains.push_back(chain);
    return {};
  }

  JobPlan Finish(JobState outcome, std::int64_t now_unix) {
    job_.state = outcome;
    job_.ended_unix = now_unix;
    change_.jobs.push_back(job_);
    ForgetOldJobs();
    return {std::move(change_), job_};
  }

  [[nodiscard]] const Job& job() const { return job_; }
  [[nodiscard]] const Whitelist& whitelist() const { return whitelist_; }

 private:
  void TakeBackLease() {
    const std::string lease = LeaseOf(job_.request.id);
    for (const GrantId id : whitelist_.GrantsOfLease(lease)) {
      const Grant& grant = whitelist_.grants().at(id);
      change_.removed.push_back(id);
      from_job_.emplace(grant.path, grant);
    }
    for (const auto& [path, file] : whitelist_.created()) {
      if (file.lease == lease) {
        change_.forgotten.push_back(path);
        Pin(file);
      }
    }
  }

  // A file that QEMU made under the job's grant of its name, or of its directory.
  void Pin(const CreatedFile& file) {
    Grant grant{.path = file.path};
    if (const auto given = from_job_.find(file.path); given != from_job_.end()) {
      grant = given->second;
    }
    grant.identity = file.identity;
    from_job_.insert_or_assign(file.path, std::move(grant));
  }

  Result<void> Give(const ChainRecord& chain, const CanonicalPath& path, const Share& share) {
    const Grant* own = whitelist_.FindLive(chain.lease, path);
    const bool serves = own != nullptr && own->depth == share.depth &&
                        (share.role.empty() || own->role == share.role);
    if (serves && (own->access == share.access ||
                   (own->access > share.access && AnotherChainHas(whitelist_, chain, path)))) {
      return {};
    }
    const auto brought = from_job_.find(path);
    if (own == nullptr && (brought == from_job_.end() || !brought->second.identity)) {
      return Fail(ErrorCode::kConflict,
                  "the job brings " + Quote(path.str()) +
                      ", and no such file was made through this broker; end the job with "
                      "--aborted and grant the file as it is");
    }
    Grant grant = own != nullptr ? *own : brought->second;
    if (own != nullptr) {
      change_.removed.push_back(own->id);
    }
    grant.id = next_++;
    grant.lease = chain.lease;
    grant.access = share.access;
    grant.depth = share.depth;
    grant.role = share.role.empty() ? grant.role : std::string(share.role);
    grant.format = share.format;
    change_.added.push_back(std::move(grant));
    return {};
  }

  // Ended jobs are remembered for a while, so that a repeated request finds them.
  void ForgetOldJobs() {
    std::map<std::pair<std::int64_t, std::string>, std::string> ended;
    for (const auto& [id, job] : whitelist_.jobs()) {
      if (job.state != JobState::kRunning) {
        ended.emplace(std::pair(job.ended_unix, id), id);
      }
    }
    while (ended.size() >= limits::kMaxEndedJobs) {
      change_.forgotten_jobs.push_back(ended.begin()->second);
      ended.erase(ended.begin());
    }
  }

  const Whitelist& whitelist_;
  Job job_;
  Change change_;
  GrantId next_ = 0;
  std::map<CanonicalPath, Grant> from_job_;
};

// The record that a job works on; it may have ended with its lease meanwhile.
const ChainRecord* ChainOf(const Ending& ending) {
  const auto& chains = ending.whitelist().chains();
  const auto chain = chains.find(ending.job().request.disk);
  return chain == chains.end() ? nullptr : &chain->second;
}

Result<void> DropLeaving(Ending* ending, ChainRecord chain) {
  std::erase_if(chain.images, [&](const ChainImage& image) {
    const auto& leaving = ending->job().leaving;
    return std::any_of(leaving.begin(), leaving.end(),
                       [&](const ChainImage& gone) { return gone.path == image.path; });
  });
  return chain.images.empty() ? Result<void>() : ending->SetChain(chain, AccessTo(chain));
}

Result<void> PutOnTop(Ending* ending, ChainRecord chain) {
  chain.images.insert(chain.images.begin(), ending->job().targets.front());
  return ending->SetChain(chain, AccessTo(chain));
}

Result<void> ReplaceByTarget(Ending* ending, ChainRecord chain) {
  std::vector<ChainImage> images = ending->job().targets;
  if (ending->job().request.shallow) {
    images.insert(images.end(), chain.images.begin() + 1, chain.images.end());
  }
  chain.images = std::move(images);
  if (ending->job().request.kind == JobKind::kChange) {
    chain.writable = ending->job().request.write;
  }
  return ending->SetChain(chain, AccessTo(chain));
}

Result<void> AddDisk(Ending* ending) {
  const Job& job = ending->job();
  const ChainRecord chain{job.request.disk, job.request.lease, job.request.write, job.targets};
  return ending->SetChain(chain, AccessTo(chain));
}

Result<void> Reopen(Ending* ending, ChainRecord chain) {
  if (chain.images.empty() || ending->job().request.top != chain.images.front().path) {
    return {};  // an image below is for reading again when nobody's job writes to it
  }
  chain.writable = ending->job().request.write;
  return ending->SetChain(chain, AccessTo(chain));
}

Result<void> SetAllDisks(Ending* ending, GrantAccess active) {
  const std::string& named = ending->job().request.disk;
  for (const auto& [disk, chain] : ending->whitelist().chains()) {
    if (named.empty() ? chain.writable : disk == named) {
      if (auto set = ending->SetChain(chain, active); !set) {
        return set;
      }
    }
  }
  return {};
}

Result<void> Succeed(Ending* ending, JobState outcome) {
  const ChainRecord* chain = ChainOf(*ending);
  const JobKind kind = ending->job().request.kind;
  switch (kind) {
    case JobKind::kBackup:
    case JobKind::kSave:
      return {};
    case JobKind::kAttach:
      return AddDisk(ending);
    case JobKind::kMigrateIn:
      return SetAllDisks(ending, GrantAccess::kReadWrite);
    case JobKind::kMigrateOut:
      return SetAllDisks(ending, GrantAccess::kRead);
    default:
      break;
  }
  if (chain == nullptr) {
    return {};
  }
  switch (kind) {
    case JobKind::kCommit:
    case JobKind::kStream:
      return DropLeaving(ending, *chain);
    case JobKind::kMirror:
      return outcome == JobState::kPivoted ? ReplaceByTarget(ending, *chain) : Result<void>();
    case JobKind::kSnapshot:
      return PutOnTop(ending, *chain);
    case JobKind::kReopen:
      return Reopen(ending, *chain);
    default:
      return ReplaceByTarget(ending, *chain);
  }
}

Result<void> CheckOutcome(const Job& job, JobState outcome) {
  const JobKind kind = job.request.kind;
  if (outcome == JobState::kPivoted && kind != JobKind::kCommit && kind != JobKind::kMirror) {
    return Fail(ErrorCode::kInvalidArgument, "a " + std::string(ToString(kind)) +
                                                 " job does not pivot; end it with --completed or "
                                                 "--aborted");
  }
  return {};
}

}  // namespace

Result<JobPlan> PlanJobEnd(const Whitelist& whitelist, const std::string& id, JobState outcome,
                           std::int64_t now_unix) {
  const auto found = whitelist.jobs().find(id);
  if (found == whitelist.jobs().end()) {
    return Fail(ErrorCode::kNotFound, "there is no job " + Quote(id) +
                                          "; 'openhookctl job list' "
                                          "shows those that there are");
  }
  const Job& job = found->second;
  if (auto fits = CheckOutcome(job, outcome); !fits) {
    return tl::make_unexpected(fits.error());
  }
  if (job.state == outcome) {
    return JobPlan{{}, job};
  }
  if (job.state != JobState::kRunning) {
    return Fail(ErrorCode::kConflict, "the job " + Quote(id) + " has ended before, as " +
                                          std::string(ToString(job.state)));
  }
  Ending ending(whitelist, job);
  if (outcome != JobState::kAborted) {
    if (auto succeeded = Succeed(&ending, outcome); !succeeded) {
      return tl::make_unexpected(succeeded.error());
    }
  }
  return ending.Finish(outcome, now_unix);
}

}  // namespace openhook::whitelist
