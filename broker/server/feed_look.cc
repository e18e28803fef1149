// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the feed that looks, at headers and at what the VM has open, where libvirt does not
// say what has become of an image.

#include <algorithm>
#include <utility>

#include "broker/server/control_messages.h"
#include "broker/server/feed.h"
#include "broker/server/header_check.h"
#include "broker/server/kernel_step.h"
#include "broker/whitelist/announced.h"

namespace openhook::server {

namespace {

using whitelist::Use;

// After a commit libvirt reopens the base once more for writing, to merge bitmaps.
constexpr std::chrono::seconds kUnusedWriting{10};
// A header is complete when libvirt releases what the image stands on.
constexpr std::chrono::seconds kUnwritten{1};

bool IsSubsequence(const std::vector<whitelist::ChainImage>& part,
                   const std::vector<whitelist::ChainImage>& whole) {
  auto at = whole.begin();
  return std::all_of(part.begin(), part.end(), [&](const whitelist::ChainImage& image) {
    at = std::find_if(at, whole.end(), [&](const auto& other) { return other.path == image.path; });
    return at != whole.end();
  });
}

// QEMU writes the header of an overlay first, and the name of its backing file later.
bool MayGetBacking(const std::vector<WantedGrant>& seen) {
  return seen.size() == 1 && seen.front().format != "raw";
}

// Once the first image, and what stands on the files that it has already.
bool StandsOnGiven(const whitelist::Whitelist& whitelist,
                   const std::vector<whitelist::ChainImage>& seen) {
  const auto files = whitelist::ChainRecord::FilesOf(seen);
  return std::all_of(files.begin(), files.end(), [&](const CanonicalPath& file) {
    return whitelist::IsGiven(whitelist, file);
  });
}

}  // namespace

std::vector<std::string> Feed::UnusedWriting() {
  const auto& whitelist = broker_->whitelist();
  const auto ids = whitelist.GrantsOfLease(whitelist::kWritingLease);
  if (ids.empty()) {
    unused_since_.clear();
    return {};
  }
  const auto probe = broker_->Probe();
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::string> paths;
  decltype(unused_since_) unused;
  for (const auto id : ids) {
    const whitelist::Grant& grant = whitelist.grants().at(id);
    if (grant.identity && probe(*grant.identity) == Held::kForWriting) {
      continue;
    }
    const auto known = unused_since_.find(grant.path.str());
    const auto since = known == unused_since_.end() ? now : known->second;
    unused.emplace(grant.path.str(), since);
    if (now - since > kUnusedWriting) {
      paths.push_back(grant.path.str());
    }
  }
  unused_since_ = std::move(unused);
  return paths;
}

void Feed::EndUnusedWriting(const std::function<void()>& done) {
  EndWriting(UnusedWriting(), done);
}

void Feed::EndWriting(std::vector<std::string> paths, const std::function<void()>& done) {
  if (paths.empty()) {
    return done();
  }
  const std::string path = std::move(paths.back());
  paths.pop_back();
  Change(
      path, "unused",
      [this, path]() -> Result<whitelist::Change> {
        return whitelist::PlanKnown(broker_->whitelist(), path, Use::kRead);
      },
      nullptr, [this, paths, done](const Result<void>&) { EndWriting(paths, done); });
}

std::vector<std::string> Feed::Unsettled() const {
  std::vector<std::string> disks;
  for (const auto& [disk, chain] : broker_->whitelist().chains()) {
    const bool unwritten = !chain.images.empty() && chain.images.front().format.empty();
    if (!given_up_.contains(disk) && whitelist::IsLibvirtLease(chain.lease) &&
        (unwritten || whitelist::DiskBelow(broker_->whitelist(), chain) != nullptr)) {
      disks.push_back(disk);
    }
  }
  return disks;
}

void Feed::Look(const std::function<void()>& done) {
  LookAt(Unsettled(), [this, done] { EndUnusedWriting(done); });
}

void Feed::LookAt(std::vector<std::string> disks, const std::function<void()>& done) {
  if (disks.empty()) {
    return done();
  }
  const std::string disk = std::move(disks.back());
  disks.pop_back();
  const auto next = [this, disks = std::move(disks), done] { LookAt(disks, done); };
  const auto chain = broker_->whitelist().chains().find(disk);
  if (chain == broker_->whitelist().chains().end() || chain->second.images.empty()) {
    return next();
  }
  if (!chain->second.images.front().format.empty()) {
    return PutOnTop(disk, next);
  }
  broker_->jobs().Run(ChainJobFor(broker_->whitelist(), chain->second), broker_->jobs().Deadline(),
                      [this, disk, next](const Result<proto::GrantRequest>& read) {
                        TakeWritten(disk, read, next);
                      });
}

// The image was empty when it was announced, and QEMU writes its header: it can lead only to what
// the VM has already.
void Feed::TakeWritten(const std::string& disk, const Result<proto::GrantRequest>& read,
                       const std::function<void()>& done) {
  const auto chain = broker_->whitelist().chains().find(disk);
  const auto wanted = read ? FromWire(read->grants())
                           : Result<std::vector<WantedGrant>>(tl::make_unexpected(read.error()));
  if (chain == broker_->whitelist().chains().end() || !wanted || wanted->front().format.empty() ||
      MayGetBacking(*wanted)) {
    return done();
  }
  const whitelist::WantedChain next{disk, chain->second.lease, chain->second.writable,
                                    whitelist::WhenDrifted::kAccept};
  broker_->Resolve(
      next.lease, *wanted, [this, next, wanted = *wanted, done](const Broker::Resolved& grants) {
        if (!grants || !StandsOnGiven(broker_->whitelist(), whitelist::ImagesOf(*grants))) {
          given_up_.insert(next.disk);
          broker_->RecordRefused(
              next.disk, "headers",
              grants
                  ? Error{ErrorCode::kPermission, 0,
                          "the headers of this new image lead to files that the VM does not have; "
                          "they are not followed"}
                  : grants.error(),
              nullptr);
          return done();
        }
        ChangeInStep(
            broker_, [this, next, grants] { return broker_->Preview(next, grants); },
            [this, next, wanted, grants](const Result<void>& widened) {
              return widened &&
                     broker_->GrantChainResolved(next, wanted, grants, nullptr).has_value();
            },
            [this, disk = next.disk, done](const Result<void>&) { PutOnTop(disk, done); });
      });
}

// A snapshot is done when libvirt has released what is below; or, where that was missed, when QEMU
// writes to the overlay, and to what is below no more.
void Feed::PutOnTop(const std::string& disk, const std::function<void()>& done) {
  const auto& whitelist = broker_->whitelist();
  const auto chain = whitelist.chains().find(disk);
  const whitelist::ChainRecord* below =
      chain == whitelist.chains().end() ? nullptr : whitelist::DiskBelow(whitelist, chain->second);
  if (below == nullptr) {
    return done();
  }
  const auto probe = broker_->Probe();
  const auto held = [&](const CanonicalPath& path) {
    const auto found = whitelist.Find(path.str());
    return found.entry != nullptr && found.entry->identity ? probe(*found.entry->identity)
                                                           : Held::kNot;
  };
  const bool given_up = released_.contains(chain->second.images[1].path.str());
  if (!given_up && (held(chain->second.images[0].path) != Held::kForWriting ||
                    held(chain->second.images[1].path) == Held::kForWriting)) {
    return done();
  }
  Change(
      disk, "on-top",
      [this, disk]() -> Result<whitelist::Change> {
        const auto& chains = broker_->whitelist().chains();
        const auto overlay = chains.find(disk);
        const auto* record = overlay == chains.end()
                                 ? nullptr
                                 : whitelist::DiskBelow(broker_->whitelist(), overlay->second);
        return record == nullptr
                   ? Result<whitelist::Change>(whitelist::Change())
                   : whitelist::PlanOnTop(broker_->whitelist(), *record, overlay->second);
      },
      nullptr, [done](const Result<void>&) { done(); });
}

void Feed::Shorten(std::vector<std::string> disks, const std::function<void()>& done) {
  if (disks.empty()) {
    return done();
  }
  const std::string disk = std::move(disks.back());
  disks.pop_back();
  const auto next = [this, disks = std::move(disks), done] { Shorten(disks, done); };
  const auto chain = broker_->whitelist().chains().find(disk);
  if (chain == broker_->whitelist().chains().end() || chain->second.images.empty()) {
    return next();
  }
  broker_->jobs().Run(ChainJobFor(broker_->whitelist(), chain->second), broker_->jobs().Deadline(),
                      [this, disk, next](const Result<proto::GrantRequest>& read) {
                        TakeShorter(disk, read, next);
                      });
}

// libvirt's word explains that images have left, and nothing that is new.
void Feed::TakeShorter(const std::string& disk, const Result<proto::GrantRequest>& read,
                       const std::function<void()>& done) {
  const auto chain = broker_->whitelist().chains().find(disk);
  const auto wanted = read ? FromWire(read->grants())
                           : Result<std::vector<WantedGrant>>(tl::make_unexpected(read.error()));
  if (chain == broker_->whitelist().chains().end() || !wanted) {
    return done();
  }
  const whitelist::WantedChain next{disk, chain->second.lease, chain->second.writable,
                                    whitelist::WhenDrifted::kAccept};
  broker_->Resolve(
      next.lease, *wanted, [this, next, wanted = *wanted, done](const Broker::Resolved& grants) {
        const auto record = broker_->whitelist().chains().find(next.disk);
        if (!grants || record == broker_->whitelist().chains().end() ||
            !IsSubsequence(whitelist::ImagesOf(*grants), record->second.images)) {
          broker_->CheckHeadersOf(next.disk);
          return done();
        }
        ChangeInStep(
            broker_, [this, next, grants] { return broker_->Preview(next, grants); },
            [this, next, wanted, grants](const Result<void>& widened) {
              return widened &&
                     broker_->GrantChainResolved(next, wanted, grants, nullptr).has_value();
            },
            [done](const Result<void>&) { done(); });
      });
}

// What turned out to be no snapshot, or does not get a header.
void Feed::EndReleased(const std::function<void()>& done) {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [path, since] : released_) {
    const bool active = whitelist::IsActiveImage(broker_->whitelist(), path);
    if (active && HasUnwritten() && now - since < kUnwritten) {
      continue;
    }
    const std::string ended = path;
    released_.erase(ended);
    return FinishRelease(ended, nullptr, [this, done](const Result<void>&) { EndReleased(done); });
  }
  done();
}

bool Feed::HasUnwritten() const {
  const auto& chains = broker_->whitelist().chains();
  return std::any_of(chains.begin(), chains.end(), [&](const auto& it) {
    const whitelist::ChainRecord& chain = it.second;
    return whitelist::IsLibvirtLease(chain.lease) && !given_up_.contains(it.first) &&
           !chain.images.empty() && chain.images.front().format.empty();
  });
}

bool Feed::HasWriting() const {
  return !broker_->whitelist().GrantsOfLease(whitelist::kWritingLease).empty();
}

}  // namespace openhook::server
