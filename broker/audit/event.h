// SPDX-License-Identifier: LGPL-2.1-or-later
//
// One decision, or one change of the whitelist. What a denial needs to be acted on: what was asked,
// by whom, which rule said no, and what the administrator can do.

#ifndef BROKER_AUDIT_EVENT_H_
#define BROKER_AUDIT_EVENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace openhook::audit {

enum class Operation : std::uint8_t {
  kOpen,
  kStat,
  kAccess,
  kUnlink,
  kGrant,
  kRevoke,
  kJobBegin,
  kJobEnd,
  kAnnounced,  // by libvirt
  kLetGo,
  kProfile,
  kCheckHeaders,
  kConnect,
  kStart,
};
// Does it change the whitelist, or say that the broker has started?
bool IsChange(Operation operation);
std::string_view ToString(Operation operation);

enum class Outcome : std::uint8_t { kAllow, kDeny, kFail };
std::string_view ToString(Outcome outcome);

// Who asked. The pid is for people only: it may have been reused since.
struct Subject {
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string label;  // as the kernel reports it; empty where it reports none
};

struct Event {
  std::uint64_t seq = 0;
  std::int64_t time_ns = 0;  // CLOCK_REALTIME
  Operation operation = Operation::kOpen;
  Outcome outcome = Outcome::kFail;
  std::string path;         // as asked for, raw bytes
  std::string_view access;  // a constant: read, write, read-write, create, ...
  std::string_view rule;    // a constant: the rule's word
  std::string reason;       // empty for an ordinary allow
  std::string_view remedy;  // a constant
  std::shared_ptr<const std::vector<std::string>> leases;
  std::shared_ptr<const Subject> subject;
  std::uint32_t repeated = 0;  // equal events that followed and were folded into this one
};

// The same question with the same answer: candidates for folding.
bool SameQuestion(const Event& a, const Event& b);

}  // namespace openhook::audit

#endif  // BROKER_AUDIT_EVENT_H_
