// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/jobs.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "broker/base/limits.h"
#include "broker/fs/mounts.h"
#include "broker/worker/job_wire.h"

namespace openhook::worker {

namespace {

// The mount tells file systems apart; kernels before 5.8 tell none.
std::uint64_t PlaceOf(const FileJob& job) {
  const FileIdentity& known = job.pinned != nullptr ? *job.pinned : *job.directory;
  return known.mount_id != 0 ? known.mount_id : known.dev;
}

FileResult FromPool(Result<Finished> finished) {
  if (!finished) {
    FileResult result;
    result.error = finished.error();
    result.unanswered = true;
    return result;
  }
  FileResult result = DecodeFileResult(finished->reply);
  result.held = std::move(finished->file);
  return result;
}

// The wishes of a request, given to workers part by part: a part is of one file system, and small
// enough for a packet.
class PinParts : public std::enable_shared_from_this<PinParts> {
 public:
  PinParts(Pool* pool, PinJob job, Clock::time_point until, Jobs::PinsDone done)
      : pool_(pool),
        job_(std::move(job)),
        until_(until),
        done_(std::move(done)),
        mounts_(fs::MountTable::Read()) {}

  void RunNext() {
    if (next_ == job_.wishes.size()) {
      return done_(std::move(all_));
    }
    const std::size_t first = next_;
    const std::uint64_t place = PlaceOf(job_.wishes[first]);
    while (next_ < job_.wishes.size() && next_ - first < limits::kMaxPinsOfAJob &&
           PlaceOf(job_.wishes[next_]) == place) {
      ++next_;
    }
    PinJob part;
    part.forbidden = job_.forbidden;
    part.wishes.assign(job_.wishes.begin() + static_cast<std::ptrdiff_t>(first),
                       job_.wishes.begin() + static_cast<std::ptrdiff_t>(next_));
    pool_->Submit({place, job_.wishes[first].path, Encode(part), until_},
                  [self = shared_from_this()](Result<Finished> finished) {
                    self->Take(std::move(finished));
                  });
  }

 private:
  [[nodiscard]] std::uint64_t PlaceOf(const PinWish& wish) const {
    const fs::Mount* mount = mounts_.Find(wish.path);
    return mount != nullptr ? mount->id : 0;
  }

  void Take(Result<Finished> finished) {
    if (!finished) {
      Error error = finished.error();
      error.context = "cannot grant: " + error.context;
      return done_(tl::make_unexpected(std::move(error)));
    }
    auto pinned = DecodePinResult(finished->reply);
    if (!pinned) {
      return done_(tl::make_unexpected(pinned.error()));
    }
    std::move(pinned->begin(), pinned->end(), std::back_inserter(all_));
    RunNext();
  }

  Pool* pool_;
  PinJob job_;
  Clock::time_point until_;
  Jobs::PinsDone done_;
  fs::MountTable mounts_;
  std::size_t next_ = 0;
  std::vector<Pinned> all_;
};

}  // namespace

Clock::time_point Jobs::Deadline() const {
  return pool_ != nullptr ? pool_->Deadline() : Clock::time_point::max();
}

void Jobs::Run(const FileJob& job, Clock::time_point until,
               std::function<void(FileResult)> done) const {
  if (pool_ == nullptr) {
    return done(Perform(job));
  }
  pool_->Submit(
      {PlaceOf(job), job.path->str(), Encode(job), until},
      [done = std::move(done)](Result<Finished> finished) { done(FromPool(std::move(finished))); });
}

void Jobs::Run(PinJob job, Clock::time_point until, PinsDone done) const {
  if (pool_ == nullptr) {
    return done(Perform(job));
  }
  std::make_shared<PinParts>(pool_, std::move(job), until, std::move(done))->RunNext();
}

void Jobs::Run(const ChainJob& job, Clock::time_point until, ChainDone done) const {
  if (pool_ == nullptr) {
    return done(Perform(job));
  }
  const fs::MountTable mounts = fs::MountTable::Read();
  const fs::Mount* mount = mounts.Find(job.slowest);
  pool_->Submit({mount != nullptr ? mount->id : 0, job.slowest, Encode(job), until},
                [done = std::move(done)](Result<Finished> finished) {
                  done(std::move(finished).and_then(
                      [](const Finished& f) { return DecodeChainResult(f.reply); }));
                });
}

}  // namespace openhook::worker
