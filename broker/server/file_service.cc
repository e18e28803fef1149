// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/file_service.h"

#include <cerrno>

#include "broker/fs/create.h"
#include "broker/fs/identity.h"
#include "broker/fs/open.h"

namespace openhook::server {

namespace {

using whitelist::Decision;
using whitelist::Rule;
using whitelist::Step;
using whitelist::Verdict;

Answer Denied(Rule rule, std::string detail = {}) {
  Answer answer;
  answer.kind = Answer::Kind::kDenied;
  answer.rule = rule;
  answer.sys_errno = TextOf(rule).sys_errno;
  answer.detail = std::move(detail);
  return answer;
}

Answer Failed(int sys_errno, std::string detail) {
  Answer answer;
  answer.kind = Answer::Kind::kFailed;
  answer.rule = Rule::kGranted;
  // QEMU's block layer does not retry EINTR, and 0 would mean success.
  answer.sys_errno = sys_errno == 0 || sys_errno == EINTR ? EIO : sys_errno;
  answer.detail = std::move(detail);
  return answer;
}

Answer Ok(const Decision& decision) {
  Answer answer;
  answer.kind = Answer::Kind::kOk;
  answer.rule = decision.rule;
  return answer;
}

// A file-system error on the way to a granted file: a changed name is a denial, the rest a failure.
Answer FromError(const Error& error, Rule when_changed) {
  if (error.code == ErrorCode::kConflict && error.sys_errno != EBUSY && error.sys_errno != EEXIST) {
    return Denied(when_changed, error.Message());
  }
  return Failed(error.sys_errno, error.Message());
}

// Decisions that need no file.
std::optional<Answer> AnswerAtOnce(const Decision& decision) {
  if (decision.verdict == Verdict::kNotMine) {
    Answer answer;
    answer.kind = Answer::Kind::kNotMine;
    answer.rule = decision.rule;
    return answer;
  }
  if (decision.verdict == Verdict::kDeny) {
    return Denied(decision.rule);
  }
  if (!decision.alias.empty()) {
    const auto checked = fs::CheckAlias(decision.alias, *decision.alias_identity);
    if (!checked) {
      return FromError(checked.error(), Rule::kAliasChanged);
    }
  }
  return std::nullopt;
}

// Nothing is known under the name. Absent is ENOENT; what is there nevertheless is not the VM's.
Answer LookForName(const Decision& decision) {
  const auto path = CanonicalPath::Parse(decision.path);
  if (!path || decision.directory == nullptr) {
    return Failed(ENOENT, "the granted name does not exist");
  }
  const auto directory = fs::ResolvePinned(path->Parent(), *decision.directory);
  if (!directory) {
    return FromError(directory.error(), Rule::kIdentityChanged);
  }
  const auto exists = fs::ExistsIn(*directory, path->Name());
  if (!exists) {
    return FromError(exists.error(), Rule::kIdentityChanged);
  }
  return *exists ? Denied(Rule::kAppeared) : Failed(ENOENT, "the granted name does not exist yet");
}

// The lock that keeps other VMs from writing may have been lost while the broker was away.
std::optional<Answer> RefuseWriting(Broker* broker, const Decision& decision) {
  const auto held = broker->EnsureWriteLock(*decision.entry->identity);
  if (held) {
    return std::nullopt;
  }
  return held.error().code == ErrorCode::kConflict
             ? Denied(Rule::kLockedByAnotherVm, held.error().Message())
             : Failed(held.error().sys_errno, held.error().Message());
}

Answer Create(Broker* broker, const Decision& decision, const OpenIntent& intent) {
  if (decision.directory == nullptr) {
    return Denied(Rule::kCreateNotGranted);
  }
  auto fd = broker->CreateForVm(decision, intent);
  if (!fd && fd.error().sys_errno == EEXIST) {
    return intent.exclusive ? Failed(EEXIST, fd.error().Message()) : Denied(Rule::kAppeared);
  }
  if (!fd) {
    return FromError(fd.error(), Rule::kIdentityChanged);
  }
  Answer answer = Ok(decision);
  answer.fd = std::move(*fd);
  return answer;
}

Answer OpenExisting(Broker* broker, const Decision& decision, const OpenIntent& intent) {
  const whitelist::Entry& entry = *decision.entry;
  const auto file = fs::ResolvePinned(entry.path, *entry.identity);
  if (!file) {
    const bool gone = file.error().code == ErrorCode::kNotFound;
    if (gone && intent.create && entry.creatable) {
      return Create(broker, decision, intent);
    }
    return FromError(file.error(), Rule::kIdentityChanged);
  }
  if (decision.step == Step::kAlreadyThere) {
    return Failed(EEXIST, "the file exists");
  }
  if (intent.access != Access::kRead) {
    if (auto refused = RefuseWriting(broker, decision)) {
      return std::move(*refused);
    }
  }
  auto opened = fs::OpenResolved(*file, *entry.identity, intent);
  if (!opened) {
    return FromError(opened.error(), Rule::kIdentityChanged);
  }
  Answer answer = Ok(decision);
  answer.fd = std::move(*opened);
  return answer;
}

// Resolves the file of an allowed decision and hands it to `use`.
template <class Use>
Answer WithFile(const Decision& decision, Use&& use) {
  if (auto answer = AnswerAtOnce(decision)) {
    return std::move(*answer);
  }
  if (decision.step != Step::kUseExisting && decision.step != Step::kAlreadyThere) {
    return LookForName(decision);
  }
  const auto file = fs::ResolvePinned(decision.entry->path, *decision.entry->identity);
  if (!file) {
    return FromError(file.error(), Rule::kIdentityChanged);
  }
  return use(*file);
}

Answer WithLeases(Answer answer, std::shared_ptr<const std::vector<std::string>> leases) {
  answer.leases = std::move(leases);
  return answer;
}

std::shared_ptr<const std::vector<std::string>> LeasesOf(const Decision& decision) {
  return decision.entry != nullptr ? decision.entry->leases : nullptr;
}

}  // namespace

Answer Open(Broker* broker, const whitelist::AskedName& name, const OpenIntent& intent) {
  const Decision decision = DecideOpen(broker->whitelist(), name, intent);
  // Taken now: creating a file changes the whitelist, and with it the entry.
  auto leases = LeasesOf(decision);
  if (auto answer = AnswerAtOnce(decision)) {
    return WithLeases(std::move(*answer), std::move(leases));
  }
  switch (decision.step) {
    case Step::kCreate:
      return WithLeases(Create(broker, decision, intent), std::move(leases));
    case Step::kUseExisting:
    case Step::kAlreadyThere:
      return WithLeases(OpenExisting(broker, decision, intent), std::move(leases));
    case Step::kLookForName:
    case Step::kNone:
      break;
  }
  return WithLeases(LookForName(decision), std::move(leases));
}

Answer Stat(Broker* broker, const whitelist::AskedName& name) {
  const Decision decision = DecideStat(broker->whitelist(), name);
  return WithLeases(WithFile(decision,
                             [&](const PathFd& file) {
                               auto attributes = fs::StatOf(file);
                               if (!attributes) {
                                 return FromError(attributes.error(), Rule::kIdentityChanged);
                               }
                               Answer answer = Ok(decision);
                               answer.attributes = *attributes;
                               return answer;
                             }),
                    LeasesOf(decision));
}

Answer CheckAccess(Broker* broker, const whitelist::AskedName& name,
                   const whitelist::AskedAccess& asked) {
  const Decision decision = DecideAccess(broker->whitelist(), name, asked);
  return WithLeases(WithFile(decision,
                             [&](const PathFd&) {
                               auto refused =
                                   asked.write ? RefuseWriting(broker, decision) : std::nullopt;
                               return refused ? std::move(*refused) : Ok(decision);
                             }),
                    LeasesOf(decision));
}

Answer Unlink(Broker* broker, const whitelist::AskedName& name) {
  const Decision decision = DecideUnlink(broker->whitelist(), name);
  auto leases = LeasesOf(decision);
  return WithLeases(WithFile(decision,
                             [&](const PathFd&) {
                               const auto removed = broker->UnlinkForVm(*decision.entry);
                               return removed ? Ok(decision)
                                              : FromError(removed.error(), Rule::kIdentityChanged);
                             }),
                    std::move(leases));
}

Answer ExplainOpen(Broker* broker, const whitelist::AskedName& name, const OpenIntent& intent) {
  const Decision decision = DecideOpen(broker->whitelist(), name, intent);
  auto leases = LeasesOf(decision);
  if (decision.step == Step::kCreate) {
    // As far as can be told without making the file: the name has to be free.
    Answer answer = LookForName(decision);
    if (answer.kind == Answer::Kind::kFailed && answer.sys_errno == ENOENT) {
      answer = Ok(decision);
    }
    return WithLeases(std::move(answer), std::move(leases));
  }
  return WithLeases(WithFile(decision,
                             [&](const PathFd&) {
                               auto refused = intent.access != Access::kRead
                                                  ? RefuseWriting(broker, decision)
                                                  : std::nullopt;
                               return refused ? std::move(*refused) : Ok(decision);
                             }),
                    std::move(leases));
}

}  // namespace openhook::server
