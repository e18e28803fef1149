// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the feed that looks, at headers and at what the VM has open, where libvirt does not
// say what has become of an image.

#include <algorithm>
#include <utility>

#include "broker/server/control_messages.h"
#include "broker/server/feed.h"
#include "broker/server/header_check.h"
#include "broker/whitelist/announced.h"

namespace openhook::server {

namespace {

using whitelist::Use;
using whitelist::WantedChain;

// After a commit libvirt reopens the base once more for writing, to merge bitmaps.
constexpr std::chrono::seconds kNoLongerWriting{10};
// Between its word and its command to QEMU libvirt lets its own helper load a profile, which takes
// a host that is busy its time.
constexpr std::chrono::seconds kNotYetWriting{120};
// A header is complete when libvirt releases what the image stands on.
constexpr std::chrono::seconds kUnwritten{1};

// Null: it is gone.
const whitelist::ChainRecord* ChainOf(const whitelist::Whitelist& whitelist,
                                      const std::string& disk) {
  const auto chain = whitelist.chains().find(disk);
  return chain == whitelist.chains().end() || chain->second.images.empty() ? nullptr
                                                                           : &chain->second;
}

// Images with all that belongs to them: a header that names a data file is no shorter chain.
bool IsSubsequence(const std::vector<whitelist::ChainImage>& part,
                   const std::vector<whitelist::ChainImage>& whole) {
  auto at = whole.begin();
  return std::all_of(part.begin(), part.end(), [&](const whitelist::ChainImage& image) {
    at = std::find_if(at, whole.end(), [&](const auto& other) {
      return other.path == image.path && other.parts == image.parts;
    });
    return at != whole.end();
  });
}

// QEMU writes the header of an overlay first, and the name of its backing file later.
bool MayGetBacking(const std::vector<WantedGrant>& seen) {
  return seen.size() == 1 && seen.front().format != "raw";
}

// On files that the VM has already, for what it would do with them.
bool StandsOnGiven(const whitelist::Whitelist& whitelist,
                   const std::vector<whitelist::ChainImage>& seen) {
  const auto files = whitelist::ChainRecord::FilesOf(seen);
  return !whitelist::NewlyWritten(whitelist, seen) &&
         std::all_of(files.begin(), files.end(), [&](const CanonicalPath& file) {
           return whitelist::IsGiven(whitelist, file);
         });
}

}  // namespace

std::vector<std::string> Feed::UnusedWriting() {
  const auto& whitelist = broker_->whitelist();
  const auto ids = whitelist.GrantsOfLease(whitelist::kWritingLease);
  const auto probe = ids.empty() ? whitelist::HeldProbe() : broker_->Probe();
  const auto now = std::chrono::steady_clock::now();
  std::vector<std::string> unused;
  decltype(writing_) writing;
  for (const auto id : ids) {
    const whitelist::Grant& grant = whitelist.grants().at(id);
    const auto known = writing_.find(grant.path.str());
    Writing state = known == writing_.end() ? Writing{false, now} : known->second;
    if (grant.identity && probe(*grant.identity) == Held::kForWriting) {
      state = {true, now};
    }
    if (now - state.unused_since > (state.begun ? kNoLongerWriting : kNotYetWriting)) {
      unused.push_back(grant.path.str());
    }
    writing.emplace(grant.path.str(), state);
  }
  writing_ = std::move(writing);
  return unused;
}

void Feed::ForEach(std::vector<std::string> names, Step step, const std::function<void()>& done) {
  if (names.empty()) {
    return done();
  }
  const std::string name = std::move(names.back());
  names.pop_back();
  (this->*step)(name, [this, names = std::move(names), step, done] { ForEach(names, step, done); });
}

void Feed::EndWriting(const std::string& path, const std::function<void()>& done) {
  Change(
      path, "unused",
      [this, path]() -> Result<whitelist::Change> {
        return whitelist::PlanKnown(broker_->whitelist(), path, Use::kRead);
      },
      nullptr, [done](const Result<void>&) { done(); });
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
  ForEach(Unsettled(), &Feed::LookAt,
          [this, done] { ForEach(UnusedWriting(), &Feed::EndWriting, done); });
}

void Feed::LookAt(const std::string& disk, const std::function<void()>& done) {
  const whitelist::ChainRecord* chain = ChainOf(broker_->whitelist(), disk);
  if (chain == nullptr || !chain->images.front().format.empty()) {
    return PutOnTop(disk, done);
  }
  Reread(
      *chain,
      [this, done](const WantedChain& next, const std::vector<WantedGrant>& wanted) {
        TakeWritten(next, wanted, done);
      },
      done);
}

// libvirt's word explains that images have left the chain.
void Feed::Shorten(const std::string& disk, const std::function<void()>& done) {
  const whitelist::ChainRecord* chain = ChainOf(broker_->whitelist(), disk);
  if (chain == nullptr) {
    return done();
  }
  Reread(
      *chain,
      [this, done](const WantedChain& next, const std::vector<WantedGrant>& wanted) {
        TakeShorter(next, wanted, done);
      },
      done);
}

void Feed::Reread(const whitelist::ChainRecord& chain, const WhenRead& take,
                  const std::function<void()>& otherwise) {
  broker_->jobs().Run(
      ChainJobFor(broker_->whitelist(), chain), broker_->jobs().Deadline(),
      [this, disk = chain.disk, take, otherwise](const Result<proto::GrantRequest>& read) {
        const whitelist::ChainRecord* now = ChainOf(broker_->whitelist(), disk);
        const auto wanted =
            read ? FromWire(read->grants())
                 : Result<std::vector<WantedGrant>>(tl::make_unexpected(read.error()));
        if (now == nullptr || !wanted) {
          return otherwise();
        }
        take({disk, now->lease, now->writable, whitelist::WhenDrifted::kAccept}, *wanted);
      });
}

// The image was empty when it was announced, and QEMU writes its header: it can lead only to what
// the VM has already.
void Feed::TakeWritten(const WantedChain& chain, const std::vector<WantedGrant>& wanted,
                       const std::function<void()>& done) {
  if (wanted.front().format.empty() || MayGetBacking(wanted)) {
    return done();
  }
  broker_->Resolve(chain.lease, wanted, [this, chain, wanted, done](Broker::Resolved grants) {
    if (grants && !StandsOnGiven(broker_->whitelist(), whitelist::ImagesOf(*grants))) {
      grants = Fail(ErrorCode::kPermission,
                    "the headers of this new image lead to files that the VM does not have, or "
                    "does not have for writing; they are not followed");
    }
    if (!grants) {
      given_up_.insert(chain.disk);
      broker_->RecordRefused(chain.disk, "headers", grants.error(), nullptr);
      return done();
    }
    GrantChain(chain, wanted, grants, nullptr,
               [this, disk = chain.disk, done](const Result<void>&) { PutOnTop(disk, done); });
  });
}

// A snapshot is done when QEMU writes to the overlay, and stands on what is below: libvirt has
// released that, or QEMU writes to it no more. What a commit has pivoted away from is released too,
// but QEMU has closed it by then; an overlay on it is left over from a snapshot that failed.
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
  const Held how_below = held(chain->second.images[1].path);
  if (held(chain->second.images[0].path) != Held::kForWriting || how_below == Held::kNot ||
      (how_below == Held::kForWriting && !given_up)) {
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

void Feed::TakeShorter(const WantedChain& chain, const std::vector<WantedGrant>& wanted,
                       const std::function<void()>& done) {
  broker_->Resolve(
      chain.lease, wanted, [this, chain, wanted, done](const Broker::Resolved& grants) {
        const auto* record = ChainOf(broker_->whitelist(), chain.disk);
        if (!grants || record == nullptr ||
            !IsSubsequence(whitelist::ImagesOf(*grants), record->images)) {
          broker_->CheckHeadersOf(chain.disk);
          return done();
        }
        GrantChain(chain, wanted, grants, nullptr, [done](const Result<void>&) { done(); });
      });
}

// What turned out to be no snapshot, or does not get a header.
void Feed::EndReleased(const std::function<void()>& done) {
  for (const auto& [path, released] : released_) {
    if (MayBeNoEnd(path, released)) {
      continue;
    }
    const std::string ended = path;
    released_.erase(ended);
    return FinishRelease(ended, nullptr, [this, done](const Result<void>&) { EndReleased(done); });
  }
  done();
}

bool Feed::MayBeNoEnd(const std::string& path, const Released& released) const {
  const auto& whitelist = broker_->whitelist();
  const bool fresh = std::chrono::steady_clock::now() - released.since < kUnwritten;
  return (fresh && HasUnwritten() && whitelist::IsActiveImage(whitelist, path)) ||
         (released.rests && whitelist::WritesTo(whitelist, broker_->Probe(), path));
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
