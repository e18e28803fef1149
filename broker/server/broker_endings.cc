// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The part of the broker that ends access to what the VM still has open (whitelist/ending.h).

#include <ctime>
#include <memory>
#include <utility>

#include "broker/server/broker.h"

namespace openhook::server {

// In doubt the VM holds a file: then it is readable for a little longer than it need be.
whitelist::HeldProbe Broker::Probe() const {
  // Before the look at the processes: what is received in between is seen there.
  auto in_flight = in_flight_ ? in_flight_() : std::set<FileKey>();
  auto scanned = fs::HeldFiles::Scan(options_.vm_uid, {sessions_.begin(), sessions_.end()});
  if (!scanned) {
    return [](const FileIdentity&) { return Held::kForWriting; };
  }
  const auto held = std::make_shared<fs::HeldFiles>(std::move(*scanned));
  return [held, in_flight = std::move(in_flight)](const FileIdentity& file) {
    return in_flight.contains(KeyOf(file)) ? Held::kForWriting : held->How(file);
  };
}

Result<void> Broker::CommitEnding(whitelist::Change* change) {
  if (!change->removed.empty() || !change->forgotten.empty()) {
    KeepWhatIsHeld(whitelist_, Probe(), ::time(nullptr), change);
  }
  if (auto committed = Commit(*change); !committed) {
    return committed;
  }
  if (!whitelist_.ended().empty() && ended_watch_) {
    ended_watch_();
  }
  return {};
}

void Broker::LetGo() {
  if (whitelist_.ended().empty()) {
    return;
  }
  const whitelist::Change change = PlanLetGo(whitelist_, Probe());
  if (change.IsEmpty()) {
    return;
  }
  audit::Event event;
  event.operation = audit::Operation::kLetGo;
  event.outcome = audit::Outcome::kAllow;
  event.rule = ToString(event.operation);
  event.path = whitelist_.grants().at(change.removed.front()).path.str();
  event.reason = "the VM has closed " + std::to_string(change.removed.size()) +
                 " file(s) whose lease had ended";
  // What cannot be recorded now is recorded at the next try; until then reading stays possible.
  if (auto committed = Commit(change); !committed) {
    event.outcome = audit::Outcome::kFail;
    event.reason = committed.error().Message();
  }
  audit_.Record(std::move(event));
}

Result<std::vector<fs::Holder>> Broker::HoldersOf(const FileIdentity& file) const {
  return fs::HeldFiles::Scan(options_.vm_uid, {sessions_.begin(), sessions_.end()})
      .map([&](const fs::HeldFiles& held) { return held.HoldersOf(file); });
}

void Broker::RemoveSession(pid_t pid) {
  if (const auto session = sessions_.find(pid); session != sessions_.end()) {
    sessions_.erase(session);
  }
  // A process that has ended has closed everything.
  if (!whitelist_.ended().empty() && ended_watch_) {
    ended_watch_();
  }
}

}  // namespace openhook::server
