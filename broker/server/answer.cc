// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/answer.h"

#include <cerrno>

namespace openhook::server {

using whitelist::Decision;
using whitelist::Rule;
using whitelist::Step;
using whitelist::Verdict;

Answer Denied(Rule rule, std::string detail) {
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

Answer FromError(const Error& error, Rule when_changed) {
  if (error.code == ErrorCode::kConflict && error.sys_errno != EBUSY && error.sys_errno != EEXIST) {
    return Denied(when_changed, error.Message());
  }
  return Failed(error.sys_errno, error.Message());
}

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
  return std::nullopt;
}

Answer AnswerTo(const Decision& decision, worker::FileResult result) {
  if (result.error) {
    return FromError(*result.error,
                     result.alias_failed ? Rule::kAliasChanged : Rule::kIdentityChanged);
  }
  switch (decision.step) {
    case Step::kUseExisting:
      break;
    case Step::kAlreadyThere:
      return Failed(EEXIST, "the file exists");
    case Step::kLookForName:
    case Step::kCreate:
    case Step::kNone:
      // Absent is ENOENT; what is there nevertheless is not the VM's.
      return result.exists ? Denied(Rule::kAppeared)
                           : Failed(ENOENT, "the granted name does not exist yet");
  }
  Answer answer = Ok(decision);
  answer.fd = std::move(result.fd);
  answer.held = std::move(result.held);
  if (answer.fd || answer.held) {
    answer.file = KeyOf(*decision.entry->identity);
  }
  answer.attributes = result.attributes;
  return answer;
}

}  // namespace openhook::server
