// SPDX-License-Identifier: LGPL-2.1-or-later

#include <algorithm>
#include <set>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/whitelist/chain_grant.h"
#include "broker/whitelist/job_plan.h"

namespace openhook::whitelist {

namespace {

tl::unexpected<Error> Senseless(const JobRequest& request, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument,
              "a " + std::string(ToString(request.kind)) + " job " + why);
}

bool BringsImages(JobKind kind) {
  return kind == JobKind::kMirror || kind == JobKind::kBackup || kind == JobKind::kSnapshot ||
         kind == JobKind::kChange || kind == JobKind::kAttach || kind == JobKind::kSave;
}

bool NeedsChain(JobKind kind) {
  return kind == JobKind::kCommit || kind == JobKind::kStream || kind == JobKind::kMirror ||
         kind == JobKind::kSnapshot || kind == JobKind::kReopen;
}

// The next free "commit-1", "commit-2", ...
std::string ChooseId(const Whitelist& whitelist, JobKind kind) {
  std::string id;
  std::size_t number = 1;
  do {
    id = std::string(ToString(kind)) + "-" + std::to_string(number++);
  } while (whitelist.jobs().contains(id));
  return id;
}

std::size_t RunningJobs(const Whitelist& whitelist) {
  return static_cast<std::size_t>(
      std::count_if(whitelist.jobs().begin(), whitelist.jobs().end(),
                    [](const auto& job) { return job.second.state == JobState::kRunning; }));
}

// What can be said against a request without looking at chains.
Result<void> CheckShape(const JobRequest& request, const std::vector<Grant>& targets) {
  if (!BringsImages(request.kind) && !targets.empty()) {
    return Senseless(request, "brings no new file");
  }
  if (BringsImages(request.kind) && targets.empty() && request.kind != JobKind::kChange) {
    return Senseless(request, "needs the new file: name it with --target");
  }
  if (request.kind == JobKind::kCommit && !request.base) {
    return Senseless(request, "needs the image that is written to: name it with --base");
  }
  if (IsJobLease(request.lease)) {
    return Senseless(request, "gives a disk to a lease that lasts, and " + Quote(request.lease) +
                                  " would end with its job");
  }
  if (request.kind == JobKind::kAttach || !request.lease.empty()) {
    if (auto named = CheckLeaseName(request.lease); !named) {
      return named;
    }
  }
  return request.kind == JobKind::kAttach ? CheckDiskName(request.disk) : Result<void>();
}

Result<const ChainRecord*> ChainFor(const Whitelist& whitelist, const JobRequest& request) {
  const ChainRecord* chain = request.disk.empty() ? nullptr : whitelist.FindChain(request.disk);
  if (request.kind == JobKind::kAttach && chain != nullptr) {
    return Fail(ErrorCode::kConflict,
                "there is a disk " + Quote(request.disk) + " already; choose another name");
  }
  const bool needed = NeedsChain(request.kind) || !request.disk.empty();
  if (chain == nullptr && needed && request.kind != JobKind::kAttach) {
    return Fail(ErrorCode::kNotFound,
                "no disk is called " + Quote(request.disk) +
                    " or has an image of that name; 'openhookctl grant IMAGE --chain --disk NAME' "
                    "makes one known");
  }
  return chain;
}

Result<std::size_t> Position(const ChainRecord& chain, const CanonicalPath& image) {
  const auto position = chain.Find(image);
  if (!position) {
    return Fail(ErrorCode::kNotFound, Quote(image.str()) + " is not in the chain of the disk " +
                                          Quote(chain.disk) + ", as it was last explained");
  }
  return *position;
}

// Where in the chain a job works.
struct Span {
  std::size_t top = 0;
  std::size_t base = 0;  // one behind the last image where none was named
};

Result<Span> SpanOf(const ChainRecord& chain, const JobRequest& request) {
  Span span{0, chain.images.size()};
  if (chain.images.empty()) {
    return Senseless(request, "needs a medium, and the drive " + Quote(chain.disk) + " is empty");
  }
  if (request.top) {
    const auto top = Position(chain, *request.top);
    if (!top) {
      return tl::make_unexpected(top.error());
    }
    span.top = *top;
  }
  if (request.base) {
    const auto base = Position(chain, *request.base);
    if (!base) {
      return tl::make_unexpected(base.error());
    }
    span.base = *base;
  }
  if (span.base <= span.top) {
    return Senseless(request, "needs its base below its top, and " + Quote(request.base->str()) +
                                  " is not below " + Quote(chain.images[span.top].path.str()));
  }
  return span;
}

std::vector<ChainImage> Between(const ChainRecord& chain, std::size_t from, std::size_t to) {
  return {chain.images.begin() + static_cast<std::ptrdiff_t>(from),
          chain.images.begin() + static_cast<std::ptrdiff_t>(to)};
}

// A grant for writing, pinned to the file that is known under the path already.
Result<Grant> WritingTo(const Whitelist& whitelist, const CanonicalPath& path,
                        const std::string& lease) {
  for (const Grant* grant : whitelist.GrantsOf(path)) {
    if (grant->identity && !grant->stale && grant->ended_unix == 0 && grant->lease != lease) {
      Grant writing = *grant;
      writing.lease = lease;
      writing.access = GrantAccess::kReadWrite;
      return writing;
    }
  }
  return Fail(ErrorCode::kNotFound, "the image " + Quote(path.str()) +
                                        " is in the chain of the disk, but no lease gives it any "
                                        "more; grant it again");
}

struct Needs {
  std::vector<const ChainImage*> writing;
  std::vector<ChainImage> leaving;
};

Result<Needs> NeedsInChain(const ChainRecord& chain, const JobRequest& request) {
  const auto span = SpanOf(chain, request);
  if (!span) {
    return tl::make_unexpected(span.error());
  }
  Needs needs;
  if (request.kind == JobKind::kCommit) {
    needs.writing.push_back(&chain.images[span->base]);
    if (span->top > 0) {
      needs.writing.push_back(&chain.images[span->top - 1]);
    }
    needs.leaving = Between(chain, span->top, span->base);
  } else if (request.kind == JobKind::kStream) {
    needs.writing.push_back(&chain.images[span->top]);
    needs.leaving = Between(chain, span->top + 1, span->base);
  } else if (request.kind == JobKind::kReopen && request.write) {
    needs.writing.push_back(&chain.images[span->top]);
  }
  return needs;
}

// The active images of all disks that the VM writes to, or of the one that was named.
std::vector<const ChainImage*> ArrivingImages(const Whitelist& whitelist,
                                              const ChainRecord* chain) {
  std::vector<const ChainImage*> images;
  for (const auto& [disk, record] : whitelist.chains()) {
    if (!record.images.empty() && (chain == nullptr ? record.writable : &record == chain)) {
      images.push_back(&record.images.front());
    }
  }
  return images;
}

Result<Needs> NeedsOf(const Whitelist& whitelist, const ChainRecord* chain,
                      const JobRequest& request) {
  if (request.kind == JobKind::kMigrateIn) {
    return Needs{ArrivingImages(whitelist, chain), {}};
  }
  return NeedsChain(request.kind) ? NeedsInChain(*chain, request) : Needs{};
}

Result<std::vector<Grant>> GrantsFor(const Whitelist& whitelist, const Needs& needs,
                                     const std::string& lease, std::vector<Grant> targets) {
  std::vector<Grant> grants = std::move(targets);
  for (Grant& grant : grants) {
    grant.lease = lease;
  }
  std::set<CanonicalPath> paths;
  for (const ChainImage* image : needs.writing) {
    paths.insert(image->path);
    paths.insert(image->parts.begin(), image->parts.end());
  }
  for (const CanonicalPath& path : paths) {
    auto writing = WritingTo(whitelist, path, lease);
    if (!writing) {
      return tl::make_unexpected(writing.error());
    }
    grants.push_back(std::move(*writing));
  }
  return grants;
}

// A repeated request finds what it did the first time. The chain may have changed since, so the
// request is not worked out again.
Result<JobPlan> Repeat(const Whitelist& whitelist, const JobRequest& request,
                       const std::vector<ChainImage>& targets) {
  const Job& job = whitelist.jobs().at(request.id);
  const ChainRecord* chain = whitelist.FindChain(request.disk);
  JobRequest same = job.request;
  same.owner = request.owner;
  if (chain == nullptr || chain->disk == same.disk) {
    same.disk = request.disk;
  }
  if (request.kind == JobKind::kReopen && !request.top) {
    same.top.reset();
  }
  if (same != request || job.targets != targets) {
    return Fail(ErrorCode::kConflict, "there is another job " + Quote(request.id) + " already (" +
                                          std::string(ToString(job.request.kind)) + ", " +
                                          std::string(ToString(job.state)) +
                                          "); choose another id");
  }
  return JobPlan{{}, job};
}

}  // namespace

Result<JobPlan> PlanJobBegin(const Whitelist& whitelist, JobRequest request,
                             std::vector<Grant> targets, std::int64_t now_unix) {
  if (request.kind == JobKind::kAttach && request.lease.empty()) {
    request.lease = "device:" + request.disk;
  }
  request.id = request.id.empty() ? ChooseId(whitelist, request.kind) : request.id;
  for (const auto& check : {CheckJobId(request.id), CheckShape(request, targets)}) {
    if (!check) {
      return tl::make_unexpected(check.error());
    }
  }
  const std::vector<ChainImage> images = ImagesOf(targets);
  if (whitelist.jobs().contains(request.id)) {
    return Repeat(whitelist, request, images);
  }
  if (RunningJobs(whitelist) >= limits::kMaxRunningJobs) {
    return Fail(ErrorCode::kLimit, "a VM has at most " + std::to_string(limits::kMaxRunningJobs) +
                                       " running jobs; end those that are over");
  }
  const auto chain = ChainFor(whitelist, request);
  if (!chain) {
    return tl::make_unexpected(chain.error());
  }
  if (*chain != nullptr) {
    request.disk = (*chain)->disk;
  }
  auto needs = NeedsOf(whitelist, *chain, request);
  if (!needs) {
    return tl::make_unexpected(needs.error());
  }
  if (request.kind == JobKind::kReopen && !request.top) {
    request.top = (*chain)->images.front().path;
  }
  auto grants = GrantsFor(whitelist, *needs, LeaseOf(request.id), std::move(targets));
  if (!grants) {
    return tl::make_unexpected(grants.error());
  }
  auto change = whitelist.PlanGrants(std::move(*grants));
  if (!change) {
    return tl::make_unexpected(change.error());
  }
  Job job{std::move(request), JobState::kRunning, now_unix, 0, std::move(needs->leaving), images};
  change->jobs.push_back(job);
  return JobPlan{std::move(*change), std::move(job)};
}

}  // namespace openhook::whitelist
