// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/open_call.h"

#include <cerrno>
#include <utility>

#include "broker/base/text.h"
#include "broker/server/label_check.h"

namespace openhook::server {

using whitelist::Decision;
using whitelist::Rule;
using whitelist::Step;
using worker::FileJobKind;
using worker::FileResult;

OpenCall::OpenCall(const Asking& asking, const whitelist::AskedName& name, const OpenIntent& intent,
                   AnswerDone done)
    : broker_(asking.broker),
      peer_(asking.peer),
      path_(name.path),
      cwd_(name.cwd),
      intent_(intent),
      done_(std::move(done)),
      jobs_(nullptr) {}

Decision OpenCall::Decide() const {
  return DecideOpen(broker_->whitelist(), {path_, cwd_}, intent_);
}

// Nothing when the file may be given as it was when the file system was asked. Where that took its
// time, the peer and its profile may have changed as well.
std::optional<Answer> OpenCall::AnswerIfChanged(const Decision& now) const {
  if (auto other = asked_->AnswerIfOther(now)) {
    return other;
  }
  if (jobs_.pool() == nullptr) {
    return std::nullopt;
  }
  if (auto confirmed = peer_->Confirm(); !confirmed) {
    return Denied(Rule::kLabelDenies, confirmed.error().Message());
  }
  return RefuseByLabel({broker_, peer_}, now, UsesOf(intent_));
}

bool OpenCall::MeansMaking(const Decision& decision, const OpenIntent& intent,
                           const FileResult& result) {
  return result.error && !result.alias_failed && !result.unanswered &&
         result.error->code == ErrorCode::kNotFound && intent.create &&
         decision.step != Step::kLookForName && decision.entry->creatable;
}

void OpenCall::Start(const Decision& decision) {
  if (decision.step == Step::kCreate) {
    return StartMaking(decision);
  }
  Run(decision, FileJobKind::kOpen, &OpenCall::TakeOpened);
}

// A file that is left over under this name from a creation that nobody answered for is not looked
// for: it would be taken for somebody else's.
void OpenCall::StartMaking(const Decision& decision) {
  leases_ = decision.entry->leases;
  if (decision.directory == nullptr) {
    return Finish(Denied(Rule::kCreateNotGranted));
  }
  const auto name = CanonicalPath::Parse(decision.path);
  if (name && broker_->MayBeUnfinished(*name)) {
    return Make(decision);
  }
  Decision look = decision;
  look.step = Step::kCreate;
  Run(look, FileJobKind::kLook, &OpenCall::TakeLook);
}

void OpenCall::Run(const Decision& decision, FileJobKind kind, Next next) {
  if (!asked_) {
    // Local files are waited for; what is announced for them needs no second deadline.
    jobs_ = NeedsWorker(*broker_, decision) ? broker_->jobs() : worker::Jobs(nullptr);
    until_ = jobs_.Deadline();
  }
  asked_.emplace(decision);
  leases_ = decision.entry->leases;
  const DecidedJob job(decision, kind, &intent_);
  jobs_.Run(job.job(), until_, [self = shared_from_this(), next](FileResult result) {
    ((*self).*next)(std::move(result));
  });
}

void OpenCall::TakeOpened(FileResult result) {
  const Decision now = Decide();
  if (auto other = AnswerIfChanged(now)) {
    return Finish(std::move(*other));
  }
  if (MeansMaking(now, intent_, result)) {
    return StartMaking(now);
  }
  Finish(AnswerTo(now, std::move(result)));
}

void OpenCall::TakeLook(FileResult result) {
  const Decision now = Decide();
  if (auto other = AnswerIfChanged(now)) {
    return Finish(std::move(*other));
  }
  if (result.error) {
    return Finish(AnswerTo(now, std::move(result)));
  }
  if (result.exists) {
    return Finish(intent_.exclusive ? Failed(EEXIST, "cannot create " + Quote(now.path))
                                    : Denied(Rule::kAppeared));
  }
  Make(now);
}

void OpenCall::Make(const Decision& decision) {
  Decision make = decision;
  make.step = Step::kCreate;
  if (auto refused = RefuseByLabel({broker_, peer_}, make, UsesOf(intent_))) {
    return Finish(std::move(*refused));
  }
  const auto name = CanonicalPath::Parse(decision.path);
  const bool left_over = name && broker_->MayBeUnfinished(*name);
  auto creating = broker_->AnnounceCreation(decision, intent_);
  if (!creating) {
    return Finish(FromError(creating.error(), Rule::kIdentityChanged));
  }
  creating_ = std::move(*creating);
  Run(make, left_over ? FileJobKind::kReplace : FileJobKind::kCreate, &OpenCall::TakeMade);
}

void OpenCall::TakeMade(FileResult result) {
  if (result.error || !result.identity) {
    return TakeNotMade(result);
  }
  const Decision now = Decide();
  if (auto other = AnswerIfChanged(now)) {
    Undo(*result.identity);
    return Finish(std::move(*other));
  }
  if (auto recorded = broker_->RecordCreated(*creating_, *result.identity); !recorded) {
    Undo(*result.identity);
    return Finish(FromError(recorded.error(), Rule::kIdentityChanged));
  }
  Answer answer = Ok(now);
  answer.fd = std::move(result.fd);
  answer.held = std::move(result.held);
  answer.file = KeyOf(*result.identity);
  Deliver(std::move(answer));
}

// A new file is on no list that the kernel has, so the kernel would drop its descriptor.
void OpenCall::Deliver(Answer answer) {
  KernelStep* kernel = broker_->kernel_step();
  if (kernel == nullptr) {
    return Finish(std::move(answer));
  }
  kernel->Settle([self = shared_from_this(), answer = std::make_shared<Answer>(std::move(answer))](
                     const Result<void>& settled) {
    self->Finish(settled ? std::move(*answer)
                         : Failed(EIO,
                                  "the file is made, but the kernel does not let the VM have "
                                  "it yet: " +
                                      settled.error().Message()));
  });
}

void OpenCall::TakeNotMade(const FileResult& result) {
  const auto recorded = broker_->RecordNotCreated(
      *creating_, result.unanswered ? Broker::NotCreated::kUnknown : Broker::NotCreated::kSurely);
  if (!recorded) {
    return Finish(FromError(recorded.error(), Rule::kIdentityChanged));
  }
  if (result.error->sys_errno == EEXIST && !intent_.exclusive) {
    return Finish(Denied(Rule::kAppeared));
  }
  Finish(FromError(*result.error, Rule::kIdentityChanged));
}

// The file was made and may not be kept. If its removal is not answered, its name stays announced.
void OpenCall::Undo(const FileIdentity& identity) {
  const worker::FileJob job{.kind = FileJobKind::kUnlink,
                            .path = &creating_->path,
                            .pinned = &identity,
                            .directory = &creating_->directory};
  jobs_.Run(job, jobs_.Deadline(), [self = shared_from_this()](const FileResult& result) {
    (void)self->broker_->RecordNotCreated(*self->creating_, result.unanswered
                                                                ? Broker::NotCreated::kUnknown
                                                                : Broker::NotCreated::kSurely);
  });
}

void OpenCall::Finish(Answer answer) {
  answer.leases = leases_;
  done_(std::move(answer));
}

}  // namespace openhook::server
