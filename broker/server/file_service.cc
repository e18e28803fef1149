// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/file_service.h"

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "broker/server/decided_job.h"
#include "broker/server/kernel_step.h"
#include "broker/server/label_check.h"
#include "broker/server/open_call.h"

namespace openhook::server {

namespace {

using whitelist::AskedName;
using whitelist::Decision;
using whitelist::Step;
using worker::FileJobKind;
using worker::FileResult;

using Leases = std::shared_ptr<const std::vector<std::string>>;

Answer WithLeases(Answer answer, Leases leases) {
  answer.leases = std::move(leases);
  return answer;
}

Leases LeasesOf(const Decision& decision) {
  return decision.entry != nullptr ? decision.entry->leases : nullptr;
}

// The lock that keeps other VMs from writing may have been lost while the broker was away.
std::optional<Answer> RefuseWriting(Broker* broker, const Decision& decision) {
  if (decision.step != Step::kUseExisting && decision.step != Step::kAlreadyThere) {
    return std::nullopt;
  }
  const auto held = broker->EnsureWriteLock(*decision.entry->identity);
  if (held) {
    return std::nullopt;
  }
  return held.error().code == ErrorCode::kConflict
             ? Denied(whitelist::Rule::kLockedByAnotherVm, held.error().Message())
             : Failed(held.error().sys_errno, held.error().Message());
}

// What was found may be used; unless writing is meant, and another VM writes there.
Answer UnlessLocked(Broker* broker, const Decision& decision, FileResult result, bool writes) {
  if (writes && !result.error) {
    if (auto refused = RefuseWriting(broker, decision)) {
      return std::move(*refused);
    }
  }
  return AnswerTo(decision, std::move(result));
}

// A request of one job, that uses the file as `uses` says. `decide` is asked again when a worker's
// answer comes; `answer` makes the answer of the decision and the result.
template <class Decide, class MakeAnswer>
void AskOnce(const Asking& asking, const AskedName& name, FileJobKind kind, label::FileUses uses,
             Decide decide, MakeAnswer make_answer, AnswerDone done) {
  Broker* const broker = asking.broker;
  const Decision decision = decide(name);
  // Taken now: carrying it out may change the whitelist, and with it the entry.
  Leases leases = LeasesOf(decision);
  if (auto answer = AnswerAtOnce(decision)) {
    return done(WithLeases(std::move(*answer), std::move(leases)));
  }
  if (auto refused = RefuseByLabel(asking, decision, uses)) {
    return done(WithLeases(std::move(*refused), std::move(leases)));
  }
  const DecidedJob job(decision, kind, nullptr);
  if (!NeedsWorker(*broker, decision)) {
    return done(WithLeases(make_answer(decision, worker::Perform(job.job())), std::move(leases)));
  }
  broker->jobs().Run(
      job.job(), broker->jobs().Deadline(),
      [path = std::string(name.path), cwd = std::string(name.cwd), asked = DecidedFile(decision),
       leases, decide, make_answer, done = std::move(done)](FileResult result) {
        const Decision now = decide(AskedName{path, cwd});
        auto other = asked.AnswerIfOther(now);
        done(WithLeases(other ? std::move(*other) : make_answer(now, std::move(result)), leases));
      });
}

enum class Attempt : std::uint8_t { kFirst, kSecond };

void OpenAt(Attempt attempt, const Asking& asking, const AskedName& name, const OpenIntent& intent,
            AnswerDone done);

// The profile that is loaded does not allow what it should: libvirt's helper loads one of a moment
// ago now and then. That is put right, and the file asked for once more.
void OpenOnceMore(const Asking& asking, const AskedName& name, const OpenIntent& intent,
                  Answer refused, AnswerDone done) {
  KernelStep* kernel = asking.broker->kernel_step();
  if (kernel == nullptr) {
    return done(std::move(refused));
  }
  kernel->Restore([asking, path = std::string(name.path), cwd = std::string(name.cwd), intent,
                   refused = std::make_shared<Answer>(std::move(refused)),
                   done = std::move(done)](const Result<void>& restored) {
    if (!restored) {
      return done(std::move(*refused));
    }
    OpenAt(Attempt::kSecond, asking, {path, cwd}, intent, done);
  });
}

void OpenAt(Attempt attempt, const Asking& asking, const AskedName& name, const OpenIntent& intent,
            AnswerDone done) {
  Broker* const broker = asking.broker;
  const Decision decision = DecideOpen(broker->whitelist(), name, intent);
  if (auto answer = AnswerAtOnce(decision)) {
    return done(WithLeases(std::move(*answer), LeasesOf(decision)));
  }
  if (auto refused = RefuseByLabel(asking, decision, UsesOf(intent))) {
    Answer answer = WithLeases(std::move(*refused), LeasesOf(decision));
    return attempt == Attempt::kFirst
               ? OpenOnceMore(asking, name, intent, std::move(answer), std::move(done))
               : done(std::move(answer));
  }
  if (intent.access != Access::kRead && decision.step == Step::kUseExisting) {
    if (auto refused = RefuseWriting(broker, decision)) {
      return done(WithLeases(std::move(*refused), LeasesOf(decision)));
    }
  }
  if (decision.step == Step::kCreate || NeedsWorker(*broker, decision)) {
    return std::make_shared<OpenCall>(asking, name, intent, std::move(done))->Start(decision);
  }
  const DecidedJob job(decision, FileJobKind::kOpen, &intent);
  FileResult result = worker::Perform(job.job());
  if (OpenCall::MeansMaking(decision, intent, result)) {
    return std::make_shared<OpenCall>(asking, name, intent, std::move(done))->StartMaking(decision);
  }
  done(WithLeases(AnswerTo(decision, std::move(result)), LeasesOf(decision)));
}

}  // namespace

void Open(const Asking& asking, const AskedName& name, const OpenIntent& intent, AnswerDone done) {
  OpenAt(Attempt::kFirst, asking, name, intent, std::move(done));
}

// What a file is like may be known of whatever is granted.
void Stat(const Asking& asking, const AskedName& name, AnswerDone done) {
  AskOnce(
      asking, name, FileJobKind::kStat, {},
      [broker = asking.broker](const AskedName& asked) {
        return DecideStat(broker->whitelist(), asked);
      },
      AnswerTo, std::move(done));
}

void CheckAccess(const Asking& asking, const AskedName& name, const whitelist::AskedAccess& asked,
                 AnswerDone done) {
  Broker* const broker = asking.broker;
  AskOnce(
      asking, name, FileJobKind::kCheck, UsesOf(asked),
      [broker, asked](const AskedName& again) {
        return DecideAccess(broker->whitelist(), again, asked);
      },
      [broker, asked](const Decision& decision, FileResult result) {
        return UnlessLocked(broker, decision, std::move(result), asked.write);
      },
      std::move(done));
}

void Unlink(const Asking& asking, const AskedName& name, AnswerDone done) {
  Broker* const broker = asking.broker;
  AskOnce(
      asking, name, FileJobKind::kUnlink, {label::FileUse::kDelete},
      [broker](const AskedName& asked) { return DecideUnlink(broker->whitelist(), asked); },
      [broker](const Decision& decision, FileResult result) {
        if (decision.step == Step::kUseExisting && !result.error) {
          Answer removed = Ok(decision);
          const auto recorded = broker->RecordRemoved(CanonicalPath(decision.entry->path));
          return recorded ? std::move(removed)
                          : FromError(recorded.error(), whitelist::Rule::kIdentityChanged);
        }
        return AnswerTo(decision, std::move(result));
      },
      std::move(done));
}

void ExplainOpen(const Asking& asking, const AskedName& name, const OpenIntent& intent,
                 AnswerDone done) {
  Broker* const broker = asking.broker;
  AskOnce(
      asking, name, FileJobKind::kCheck, UsesOf(intent),
      [broker, intent](const AskedName& asked) {
        return DecideOpen(broker->whitelist(), asked, intent);
      },
      [broker, intent](const Decision& decision, FileResult result) {
        if (intent.access != Access::kRead && !result.error) {
          if (auto refused = RefuseWriting(broker, decision)) {
            return std::move(*refused);
          }
        }
        // As far as can be told without making the file: the name has to be free.
        const bool free_name = !result.error && !result.exists;
        if (decision.step == Step::kAlreadyThere && free_name) {
          return Ok(decision);
        }
        return decision.step == Step::kCreate && free_name ? Ok(decision)
                                                           : AnswerTo(decision, std::move(result));
      },
      std::move(done));
}

}  // namespace openhook::server
