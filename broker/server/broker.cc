// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/broker.h"

#include <algorithm>
#include <cerrno>

#include "broker/base/limits.h"
#include "broker/base/text.h"
#include "broker/fs/directory.h"
#include "broker/server/recovery.h"

namespace openhook::server {

namespace {

using whitelist::Change;
using whitelist::Decision;

}  // namespace

Broker::Broker(Options options, store::Store store, whitelist::Whitelist whitelist,
               WriteLocks locks, std::vector<std::unique_ptr<audit::Sink>> sinks,
               worker::Pool* workers)
    : options_(std::move(options)),
      store_(std::move(store)),
      whitelist_(std::move(whitelist)),
      locks_(std::move(locks)),
      audit_(std::move(sinks)),
      jobs_(workers) {}

Result<std::unique_ptr<Broker>> Broker::Start(Options options,
                                              std::vector<std::unique_ptr<audit::Sink>> sinks,
                                              worker::Pool* workers) {
  auto store = store::Store::Open(options.StorePath(), options.vm);
  if (!store) {
    return tl::make_unexpected(store.error());
  }
  // A new file's name has to survive a power cut as its contents do.
  if (auto synced = fs::SyncDirectory(options.state_dir); !synced) {
    return tl::make_unexpected(synced.error());
  }
  auto loaded = store->Load();
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  const worker::Jobs jobs(workers);
  std::vector<audit::Event> unanswered;
  FinishCreating(&*store, &*loaded, jobs);
  if (auto confirmed = ConfirmIdentities(&*store, &*loaded, jobs, &unanswered); !confirmed) {
    return tl::make_unexpected(confirmed.error());
  }
  auto locks = WriteLocks::Open(options.LockDir(), options.vm);
  if (!locks) {
    return tl::make_unexpected(locks.error());
  }
  std::unique_ptr<Broker> broker(new Broker(std::move(options), std::move(*store),
                                            std::move(loaded->whitelist), std::move(*locks),
                                            std::move(sinks), workers));
  for (const store::Creating& creating : loaded->creating) {
    broker->creations_[creating.path] = Creation::kUnknown;
  }
  broker->RecordStart(unanswered);
  broker->RestoreLocks();
  return broker;
}

void Broker::RecordStart(const std::vector<audit::Event>& unanswered) {
  for (const audit::Event& event : unanswered) {
    audit_.Record(event);
  }
  audit::Event started;
  started.operation = audit::Operation::kStart;
  started.outcome = audit::Outcome::kAllow;
  started.reason = "serving with " + Plural(whitelist_.grants().size(), "grant");
  audit_.Record(std::move(started));
}

// A VM that runs is not taken down because another one took its file while the broker was away: it
// reads on, and is refused the next open for writing.
void Broker::RestoreLocks() {
  const whitelist::RuleText& text = TextOf(whitelist::Rule::kLockedByAnotherVm);
  for (WriteLocks::Missing& missing : locks_.Restore(whitelist_)) {
    audit::Event event;
    event.operation = audit::Operation::kStart;
    event.outcome = audit::Outcome::kFail;
    event.path = std::move(missing.path);
    const bool conflict = missing.error.code == ErrorCode::kConflict;
    event.rule = conflict ? text.word : "lock";
    event.reason = missing.error.Message();
    event.remedy = conflict ? text.remedy : "";
    audit_.Record(std::move(event));
  }
}

Result<void> Broker::Commit(const Change& change) {
  auto locks = locks_.Prepare(whitelist_, change);
  if (!locks) {
    return tl::make_unexpected(locks.error());
  }
  if (auto saved = store_.Save(change); !saved) {
    return saved;
  }
  Apply(change);
  locks->Commit();
  return {};
}

void Broker::Apply(const Change& change) {
  whitelist_.Apply(change);
  if (kernel_step_ != nullptr) {
    kernel_step_->Follow();
  }
}

// A lock that was missing before the change is not a reason to refuse every change, but a grant
// that would give nothing is.
Result<void> Broker::EnsureWriteLocks(const Change& change) {
  for (const whitelist::Grant& grant : change.added) {
    const bool live = !grant.stale && grant.ended_unix == 0;
    if (live && grant.identity && grant.access != whitelist::GrantAccess::kRead) {
      if (auto held = locks_.Ensure(*grant.identity); !held) {
        return held;
      }
    }
  }
  return {};
}

std::string Broker::CreatingLease(const whitelist::Entry& entry) const {
  for (const whitelist::Grant* grant : whitelist_.GrantsOf(entry.path)) {
    if (grant->access == whitelist::GrantAccess::kCreate && !grant->stale) {
      return grant->lease;
    }
  }
  return entry.leases->front();
}

Result<store::Creating> Broker::AnnounceCreation(const Decision& decision,
                                                 const OpenIntent& intent) {
  auto path = CanonicalPath::Parse(decision.path);
  if (!path) {
    return tl::make_unexpected(path.error());
  }
  const auto known = creations_.find(*path);
  if (known != creations_.end() && known->second == Creation::kUnderWay) {
    return FailErrno(EBUSY, "another request is making " + Quote(path->str()));
  }
  if (known == creations_.end() &&
      whitelist_.created().size() + creations_.size() >= limits::kMaxCreatedFiles) {
    return FailErrno(EDQUOT, "this VM has made " + std::to_string(limits::kMaxCreatedFiles) +
                                 " files that are its own; remove some, or revoke the leases they "
                                 "were made under");
  }
  store::Creating creating{std::move(*path), CreatingLease(*decision.entry), *decision.directory,
                           intent.token};
  if (auto recorded = store_.SaveCreating(creating); !recorded) {
    return tl::make_unexpected(recorded.error());
  }
  creations_[creating.path] = Creation::kUnderWay;
  return creating;
}

Result<void> Broker::RecordCreated(const store::Creating& creating, const FileIdentity& identity) {
  const Change change = whitelist_.PlanCreated(
      {creating.path, creating.lease, identity, creating.directory, creating.token});
  creations_[creating.path] = Creation::kUnknown;
  // The file is new, so nobody else has a reason to hold its lock; but it does not leave without.
  auto locks = locks_.Prepare(whitelist_, change);
  if (!locks) {
    // What the program sees; the sentence is for the audit log.
    locks.error().sys_errno = locks.error().code == ErrorCode::kLimit ? EDQUOT : EBUSY;
    return tl::make_unexpected(locks.error());
  }
  if (auto saved = store_.SaveCreated(creating.path, &change); !saved) {
    return saved;
  }
  creations_.erase(creating.path);
  Apply(change);
  locks->Commit();
  return {};
}

Result<void> Broker::RecordNotCreated(const store::Creating& creating, NotCreated how) {
  creations_[creating.path] = Creation::kUnknown;
  if (how == NotCreated::kUnknown) {
    return {};
  }
  if (auto undone = store_.SaveCreated(creating.path, nullptr); !undone) {
    return undone;
  }
  creations_.erase(creating.path);
  return {};
}

bool Broker::MayBeUnfinished(const CanonicalPath& path) const {
  const auto known = creations_.find(path);
  return known != creations_.end() && known->second == Creation::kUnknown;
}

Result<void> Broker::RecordRemoved(const CanonicalPath& path) {
  // A crash before this leaves a record of a file that is gone: its name then answers ENOENT, and a
  // later file of that name has another identity.
  return Commit(whitelist_.PlanForgotten(path));
}

}  // namespace openhook::server
