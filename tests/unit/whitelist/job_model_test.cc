// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Thousands of interleavings of jobs, grants, revokes and restarts on two disks, against a short
// statement of what has to come out: a disk's lease gives its active image for writing and the rest
// of its chain for reading, each running job gives what it needs, and nothing else is there.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/whitelist/job_plan.h"
#include "tests/unit/whitelist/sample_grants.h"

namespace openhook::whitelist {
namespace {

using Path = std::string;

struct ModelJob {
  std::size_t disk = 0;
  std::set<Path> writing;
  std::vector<Path> leaving;
  std::optional<Path> on_top;
};

struct Model {
  std::vector<std::vector<Path>> chains;  // active image first
  std::map<std::string, ModelJob> jobs;
  std::map<Path, bool> admin;  // may it be written

  [[nodiscard]] std::map<Path, bool> Union() const {
    std::map<Path, bool> rights = admin;
    for (const auto& chain : chains) {
      for (const Path& path : chain) {
        rights[path] = rights[path] || path == chain.front();
      }
    }
    for (const auto& [id, job] : jobs) {
      for (const Path& path : job.writing) {
        rights[path] = true;
      }
    }
    return rights;
  }
};

class Run {
 public:
  Run() {
    for (const std::string disk : {"vda", "vdb"}) {
      std::vector<Path> chain;
      for (int i = 0; i < 6; ++i) {
        chain.push_back("/" + disk + std::to_string(i));
      }
      AddDisk(disk, chain);
    }
  }

  void Step() {
    switch (*rc::gen::inRange(0, 9)) {
      case 0:
      case 1:
        return BeginSpan(JobKind::kCommit);
      case 2:
        return BeginSpan(JobKind::kStream);
      case 3:
        return BeginSnapshot();
      case 4:
      case 5:
      case 6:
        return EndOne();
      case 7:
        return GrantOrRevoke();
      default:
        return Restart();
    }
  }

  void Check() const {
    const auto rights = model_.Union();
    std::set<Path> paths = everything_;
    for (const Path& path : paths) {
      const auto expected = rights.find(path);
      const Entry* entry = list_.Find(path).entry;
      RC_ASSERT((entry != nullptr) == (expected != rights.end()));
      RC_ASSERT((entry != nullptr && entry->writable) ==
                (expected != rights.end() && expected->second));
    }
    for (std::size_t disk = 0; disk < model_.chains.size(); ++disk) {
      std::vector<Path> recorded;
      for (const ChainImage& image : list_.chains().at(Name(disk)).images) {
        recorded.push_back(image.path.str());
      }
      RC_ASSERT(recorded == model_.chains[disk]);
    }
  }

 private:
  static std::string Name(std::size_t disk) { return disk == 0 ? "vda" : "vdb"; }

  std::uint64_t InodeOf(const Path& path) {
    everything_.insert(path);
    return inodes_.try_emplace(path, inodes_.size() + 1).first->second;
  }

  void AddDisk(const std::string& disk, const std::vector<Path>& chain) {
    ChainRecord record{disk, "device:" + disk, true, {}};
    std::vector<Grant> grants;
    for (const Path& path : chain) {
      record.images.push_back({At(path), "qcow2", {}});
      const bool active = path == chain.front();
      grants.push_back(File(path, active ? GrantAccess::kReadWrite : GrantAccess::kRead,
                            InodeOf(path), record.lease));
    }
    Change change = list_.PlanGrants(grants).value();
    change.chains = {record};
    list_.Apply(change);
    model_.chains.push_back(chain);
  }

  // A part of a chain that no running job works on, as QEMU would allow it.
  [[nodiscard]] bool IsFree(std::size_t disk, std::size_t from, std::size_t to) const {
    const auto& chain = model_.chains[disk];
    return std::none_of(model_.jobs.begin(), model_.jobs.end(), [&](const auto& it) {
      for (std::size_t i = from; i <= to; ++i) {
        const auto& leaving = it.second.leaving;
        if (it.second.writing.contains(chain[i]) ||
            std::find(leaving.begin(), leaving.end(), chain[i]) != leaving.end()) {
          return true;
        }
      }
      return false;
    });
  }

  void BeginSpan(JobKind kind) {
    const auto disk = *rc::gen::inRange<std::size_t>(0, 2);
    const auto& chain = model_.chains[disk];
    if (chain.size() < 2) {
      return;
    }
    const auto top = *rc::gen::inRange<std::size_t>(0, chain.size() - 1);
    const auto base = *rc::gen::inRange<std::size_t>(top + 1, chain.size());
    if (!IsFree(disk, top, base)) {
      return;
    }
    ModelJob job{disk, {}, {}, std::nullopt};
    const bool commit = kind == JobKind::kCommit;
    job.leaving = {chain.begin() + static_cast<std::ptrdiff_t>(commit ? top : top + 1),
                   chain.begin() + static_cast<std::ptrdiff_t>(base)};
    job.writing.insert(chain[commit ? base : top]);
    if (commit && top > 0) {
      job.writing.insert(chain[top - 1]);
    }
    Begin({.kind = kind, .disk = Name(disk), .top = At(chain[top]), .base = At(chain[base])}, {},
          job);
  }

  void BeginSnapshot() {
    const auto disk = *rc::gen::inRange<std::size_t>(0, 2);
    const Path path = "/new" + std::to_string(inodes_.size());
    Grant target = NewName(path);
    target.role = "image";
    target.format = "qcow2";
    const auto inode = InodeOf(path);
    const std::string id =
        Begin({.kind = JobKind::kSnapshot, .disk = Name(disk)}, {target}, {disk, {path}, {}, path});
    list_.Apply(list_.PlanCreated(Made(path, inode, LeaseOf(id))));
  }

  std::string Begin(JobRequest request, std::vector<Grant> targets, ModelJob job) {
    const auto plan = PlanJobBegin(list_, std::move(request), std::move(targets), 1);
    RC_ASSERT(plan.has_value());
    list_.Apply(plan->change);
    model_.jobs.emplace(plan->job.request.id, std::move(job));
    return plan->job.request.id;
  }

  void EndOne() {
    if (model_.jobs.empty()) {
      return;
    }
    auto it = model_.jobs.begin();
    std::advance(it, *rc::gen::inRange<std::size_t>(0, model_.jobs.size()));
    const bool succeeded = *rc::gen::arbitrary<bool>();
    const auto plan =
        PlanJobEnd(list_, it->first, succeeded ? JobState::kCompleted : JobState::kAborted, 2);
    RC_ASSERT(plan.has_value());
    list_.Apply(plan->change);
    if (succeeded) {
      auto& chain = model_.chains[it->second.disk];
      std::erase_if(chain, [&](const Path& path) {
        const auto& leaving = it->second.leaving;
        return std::find(leaving.begin(), leaving.end(), path) != leaving.end();
      });
      if (it->second.on_top) {
        chain.insert(chain.begin(), *it->second.on_top);
      }
    }
    model_.jobs.erase(it);
  }

  void GrantOrRevoke() {
    auto path = everything_.begin();
    std::advance(path, *rc::gen::inRange<std::size_t>(0, everything_.size()));
    if (model_.admin.erase(*path) != 0) {
      RC_ASSERT(Take(&list_, "admin:x", {*path}).has_value());
      return;
    }
    const bool write = *rc::gen::arbitrary<bool>();
    const auto access = write ? GrantAccess::kReadWrite : GrantAccess::kRead;
    RC_ASSERT(Give(&list_, {File(*path, access, InodeOf(*path), "admin:x")}).has_value());
    model_.admin[*path] = write;
  }

  // What the store holds is all that a restarted broker knows.
  void Restart() {
    Contents contents;
    contents.generation = list_.generation();
    for (const auto& [id, grant] : list_.grants()) {
      contents.grants.push_back(grant);
    }
    for (const auto& [path, file] : list_.created()) {
      contents.created.push_back(file);
    }
    for (const auto& [disk, chain] : list_.chains()) {
      contents.chains.push_back(chain);
    }
    for (const auto& [id, job] : list_.jobs()) {
      contents.jobs.push_back(job);
    }
    list_ = Whitelist(std::move(contents));
  }

  Whitelist list_;
  Model model_;
  std::map<Path, std::uint64_t> inodes_;
  std::set<Path> everything_;
};

RC_GTEST_PROP(Jobs, LeaveWhatTheirLeasesSay, ()) {
  Run run;
  const auto steps = *rc::gen::inRange(1, 80);
  for (int step = 0; step < steps; ++step) {
    run.Step();
    run.Check();
  }
}

}  // namespace
}  // namespace openhook::whitelist
