// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/audit/event.h"

namespace openhook::audit {

std::string_view ToString(Operation operation) {
  switch (operation) {
    case Operation::kOpen:
      return "open";
    case Operation::kStat:
      return "stat";
    case Operation::kAccess:
      return "access";
    case Operation::kUnlink:
      return "unlink";
    case Operation::kGrant:
      return "grant";
    case Operation::kRevoke:
      return "revoke";
    case Operation::kJobBegin:
      return "job-begin";
    case Operation::kJobEnd:
      return "job-end";
    case Operation::kAnnounced:
      return "announced";
    case Operation::kLetGo:
      return "let-go";
    case Operation::kProfile:
      return "profile";
    case Operation::kCheckHeaders:
      return "check-headers";
    case Operation::kConnect:
      return "connect";
    case Operation::kStart:
      return "start";
  }
  return "unknown";
}

std::string_view ToString(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAllow:
      return "allow";
    case Outcome::kDeny:
      return "deny";
    case Outcome::kFail:
      return "fail";
  }
  return "unknown";
}

bool IsChange(Operation operation) {
  switch (operation) {
    case Operation::kGrant:
    case Operation::kRevoke:
    case Operation::kJobBegin:
    case Operation::kJobEnd:
    case Operation::kAnnounced:
    case Operation::kLetGo:
    case Operation::kProfile:
    case Operation::kStart:
      return true;
    default:
      return false;
  }
}

bool SameQuestion(const Event& a, const Event& b) {
  return a.operation == b.operation && a.outcome == b.outcome && a.path == b.path &&
         a.access == b.access && a.rule == b.rule && a.reason == b.reason && a.subject == b.subject;
}

}  // namespace openhook::audit
