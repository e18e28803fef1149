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

constexpr std::chrono::milliseconds kFirstWait{40};
constexpr std::chrono::milliseconds kLongestWait{2000};
constexpr std::chrono::seconds kWatchFor{120};
constexpr const char* kSource = "libvirt";

std::string_view Word(const proto::Announcement& announcement) {
  return announcement.write() ? "read-write" : "read";
}

Use UseOf(const proto::Announcement& announcement) {
  return announcement.write() ? Use::kWrite : Use::kRead;
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
  const bool names_image = announcement.kind() == proto::ANNOUNCEMENT_KIND_ACQUIRED ||
                           announcement.kind() == proto::ANNOUNCEMENT_KIND_RELEASED;
  if (!clean && names_image) {
    return done(tl::make_unexpected(clean.error()));
  }
  Add([this, announcement, name = clean.value_or(""), subject = std::move(subject),
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
        return Release(name, subject, finish);
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
  released_last_.clear();
  // Released a moment ago, and in use again: below the overlay that was made, or as before.
  if (const std::string path = PathOf(name); released_.contains(path)) {
    return Look([this, path, announcement, subject, done] {
      released_.erase(path);
      Acquire(announcement, subject, done);
    });
  }
  const Plan plan = [this, name, use = UseOf(announcement)]() -> Result<whitelist::Change> {
    return whitelist::PlanKnown(broker_->whitelist(), name, use);
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
  broker_->Resolve(chain.lease, *wanted,
                   [this, chain, wanted = *wanted, subject, done](Broker::Resolved grants) {
                     Result<void> allowed;
                     if (grants) {
                       allowed =
                           whitelist::MayStandOn(broker_->whitelist(), whitelist::ImagesOf(*grants),
                                                 chain.writable ? Use::kWrite : Use::kRead,
                                                 broker_->options().drift)
                               .and_then([&] {
                                 return broker_->CheckOwners(chain.disk,
                                                             {grants->begin() + 1, grants->end()});
                               });
                     }
                     if (!allowed) {
                       grants = tl::make_unexpected(allowed.error());
                     }
                     GrantChain(chain, wanted, grants, subject, done);
                   });
}

void Feed::GrantChain(const whitelist::WantedChain& chain, const std::vector<WantedGrant>& wanted,
                      const Broker::Resolved& grants, const SharedSubject& subject,
                      const Done& done) {
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
}

std::string Feed::PathOf(const std::string& name) const {
  const auto found = broker_->whitelist().Find(name);
  return found.entry == nullptr ? name : found.entry->path.str();
}

void Feed::Release(const std::string& name, const SharedSubject& subject, const Done& done) {
  const std::string path = PathOf(name);
  const std::string before = std::exchange(released_last_, path);
  released_.emplace(path, Released{std::chrono::steady_clock::now()});
  Look([this, path, before, subject, done] {
    Released& released = released_[path];
    released.rests = whitelist::IsActiveOn(broker_->whitelist(), path, before);
    if (MayBeNoEnd(path, released)) {
      return done({});
    }
    released_.erase(path);
    FinishRelease(path, subject, done);
  });
}

void Feed::FinishRelease(const std::string& path, const SharedSubject& subject, const Done& done) {
  const std::vector<std::string> above = whitelist::DisksOn(broker_->whitelist(), path);
  Change(
      path, "released",
      [this, path] {
        return whitelist::PlanReleased(broker_->whitelist(), broker_->Probe(), path);
      },
      subject,
      [this, above, done](const Result<void>& released) {
        ForEach(above, &Feed::Shorten, [done, released] { done(released); });
      });
}

void Feed::EndMachine(const SharedSubject& subject, const Done& done) {
  given_up_.clear();
  released_.clear();
  released_last_.clear();
  Change(
      "", "ended",
      [this]() -> Result<whitelist::Change> {
        return whitelist::PlanMachineEnded(broker_->whitelist());
      },
      subject, done);
}

void Feed::Watch() {
  if (Unsettled().empty() && released_.empty() && !HasWriting()) {
    return;
  }
  pause_ = kFirstWait;
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
        EndReleased([this, next] {
          WaitAgain();
          next();
        });
      });
    });
  });
}

void Feed::WaitAgain() {
  pause_ = std::min(pause_ * 2, kLongestWait);
  const bool watched = std::chrono::steady_clock::now() < watch_until_;
  if (HasWriting() || !released_.empty() || (watched && !Unsettled().empty())) {
    Wait();
  }
}

}  // namespace openhook::server
