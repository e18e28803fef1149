// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/feed.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "broker/base/text.h"
#include "broker/server/control_messages.h"
#include "broker/server/header_check.h"
#include "broker/server/kernel_step.h"
#include "broker/whitelist/announced.h"

namespace openhook::server {

namespace {

using whitelist::Use;

constexpr std::chrono::milliseconds kFirstPause{40};
constexpr std::chrono::milliseconds kLongestPause{2000};
constexpr std::chrono::seconds kWatchFor{120};
const std::string kSource = "libvirt";

std::string_view Word(const proto::Announcement& announcement) {
  return announcement.write() ? "read-write" : "read";
}

Use UseOf(const proto::Announcement& announcement) {
  return announcement.write() ? Use::kWrite : Use::kRead;
}

bool IsSubsequence(const std::vector<whitelist::ChainImage>& part,
                   const std::vector<whitelist::ChainImage>& whole) {
  auto at = whole.begin();
  return std::all_of(part.begin(), part.end(), [&](const whitelist::ChainImage& image) {
    at = std::find_if(at, whole.end(), [&](const auto& other) { return other.path == image.path; });
    return at != whole.end();
  });
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

Feed::Feed(boost::asio::io_context& loop, Broker* broker) : broker_(broker), timer_(loop) {
  broker_->TakeAnnouncements(this);
  Watch();
}

Feed::~Feed() { broker_->TakeAnnouncements(nullptr); }

void Feed::Add(Task task) {
  tasks_.push_back(std::move(task));
  if (!busy_) {
    RunNext();
  }
}

void Feed::RunNext() {
  while (!busy_ && !tasks_.empty()) {
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    busy_ = true;
    task([this] {
      busy_ = false;
      RunNext();
    });
  }
}

void Feed::Take(const proto::Announcement& announcement, SharedSubject subject, Done done) {
  const auto clean = LexicalClean(announcement.path(), "");
  if (!clean && announcement.kind() != proto::ANNOUNCEMENT_KIND_ENDED) {
    return done(tl::make_unexpected(clean.error()));
  }
  Add([this, announcement, path = clean.value_or(""), subject = std::move(subject),
       done = std::move(done)](std::function<void()> next) {
    const Done finish = [this, done, next = std::move(next)](const Result<void>& taken) {
      done(taken);
      Watch();
      next();
    };
    switch (announcement.kind()) {
      case proto::ANNOUNCEMENT_KIND_ACQUIRED:
        return Acquire(announcement, subject, finish);
      case proto::ANNOUNCEMENT_KIND_RELEASED:
        return Look([this, path, subject, finish] { Release(path, subject, finish); });
      case proto::ANNOUNCEMENT_KIND_ENDED:
        return EndMachine(subject, finish);
      default:
        return finish(
            Fail(ErrorCode::kInvalidArgument, "the announcement does not say what happened"));
    }
  });
}

void Feed::Change(const std::string& path, std::string_view access, const Plan& plan,
                  const SharedSubject& subject, const Done& done) {
  const auto failed = std::make_shared<Result<void>>();
  ChangeInStep(
      broker_, plan,
      [this, path, access, plan, subject, failed](const Result<void>& widened) {
        *failed = broker_->FollowAnnounced(
            path, access, widened ? plan() : tl::make_unexpected(widened.error()), subject);
        return failed->has_value();
      },
      [failed, done](const Result<void>& settled) { done(*failed ? settled : *failed); });
}

void Feed::Acquire(const proto::Announcement& announcement, const SharedSubject& subject,
                   const Done& done) {
  const std::string name = LexicalClean(announcement.path(), "").value_or("");
  const Plan plan = [this, name, use = UseOf(announcement)]() -> Result<whitelist::Change> {
    auto planned = whitelist::PlanAcquired(broker_->whitelist(), name, use);
    if (!planned) {
      return tl::make_unexpected(planned.error());
    }
    return std::move(*planned).value_or(whitelist::Change());
  };
  const auto known = whitelist::PlanAcquired(broker_->whitelist(), name, UseOf(announcement));
  if (known && !*known) {
    return AcquireNew(announcement, subject, done);
  }
  Change(name, Word(announcement), plan, subject, done);
}

void Feed::AcquireNew(const proto::Announcement& announcement, const SharedSubject& subject,
                      const Done& done) {
  const worker::ChainJob job{
      .image = announcement.path(),
      .top = announcement.write() ? proto::GRANT_ACCESS_READ_WRITE : proto::GRANT_ACCESS_READ,
      .source = kSource,
      .shareable = announcement.write() && announcement.shareable(),
      .slowest = announcement.path()};
  broker_->jobs().Run(job, broker_->jobs().Deadline(),
                      [this, announcement, subject, done](const Result<proto::GrantRequest>& read) {
                        if (read) {
                          return GrantNew(announcement, *read, subject, done);
                        }
                        broker_->RecordRefused(announcement.path(), Word(announcement),
                                               read.error(), subject);
                        done(tl::make_unexpected(read.error()));
                      });
}

void Feed::GrantNew(const proto::Announcement& announcement, const proto::GrantRequest& read,
                    const SharedSubject& subject, const Done& done) {
  auto wanted = FromWire(read.grants());
  if (!wanted) {
    return done(tl::make_unexpected(wanted.error()));
  }
  // libvirt's spelling, where it is not the canonical one.
  if (wanted->front().path != announcement.path()) {
    wanted->front().aliases.push_back(announcement.path());
  }
  const whitelist::WantedChain chain{wanted->front().path,
                                     whitelist::NewLibvirtLease(broker_->whitelist()),
                                     announcement.write(), whitelist::WhenDrifted::kAskPolicy};
  broker_->Resolve(
      chain.lease, *wanted,
      [this, chain, wanted = *wanted, subject, done](Broker::Resolved grants) {
        Result<void> allowed;
        if (grants) {
          allowed =
              whitelist::MayStandOn(broker_->whitelist(), whitelist::ImagesOf(*grants),
                                    broker_->options().drift)
                  .and_then([&] {
                    return broker_->CheckOwners(chain.disk, {grants->begin() + 1, grants->end()});
                  });
        }
        if (!allowed) {
          grants = tl::make_unexpected(allowed.error());
        }
        const auto failed = std::make_shared<Result<void>>();
        ChangeInStep(
            broker_, [this, chain, grants] { return broker_->Preview(chain, grants); },
            [this, chain, wanted, grants, subject, failed](const Result<void>& widened) {
              const auto granted = broker_->GrantChainResolved(
                  chain, wanted, widened ? grants : tl::make_unexpected(widened.error()), subject);
              *failed = granted ? Result<void>() : tl::make_unexpected(granted.error());
              return granted.has_value();
            },
            [failed, done](const Result<void>& settled) { done(*failed ? settled : *failed); });
      });
}

void Feed::Release(const std::string& path, const SharedSubject& subject, const Done& done) {
  const std::vector<std::string> above = whitelist::DisksOn(broker_->whitelist(), path);
  Change(
      path, "released",
      [this, path] {
        return whitelist::PlanReleased(broker_->whitelist(), broker_->Probe(), path);
      },
      subject,
      [this, above, done](const Result<void>& released) {
        Shorten(above, [done, released] { done(released); });
      });
}

void Feed::EndMachine(const SharedSubject& subject, const Done& done) {
  given_up_.clear();
  Change(
      "", "ended",
      [this]() -> Result<whitelist::Change> {
        return whitelist::PlanMachineEnded(broker_->whitelist());
      },
      subject, done);
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

void Feed::Look(const std::function<void()>& done) { LookAt(Unsettled(), done); }

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
  if (chain == broker_->whitelist().chains().end() || !wanted || wanted->front().format.empty()) {
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

// A snapshot is done when QEMU writes to the overlay, and to what is below no more.
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
  if (held(chain->second.images[0].path) != Held::kForWriting ||
      held(chain->second.images[1].path) == Held::kForWriting) {
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

void Feed::Watch() {
  if (Unsettled().empty()) {
    return;
  }
  pause_ = kFirstPause;
  watch_until_ = std::chrono::steady_clock::now() + kWatchFor;
  Wait();
}

void Feed::Wait() {
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    Add([this](const std::function<void()>& next) {
      Look([this, next] {
        pause_ = std::min(pause_ * 2, kLongestPause);
        if (!Unsettled().empty() && std::chrono::steady_clock::now() < watch_until_) {
          Wait();
        }
        next();
      });
    });
  });
}

}  // namespace openhook::server
