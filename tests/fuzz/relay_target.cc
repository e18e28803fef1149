// SPDX-License-Identifier: LGPL-2.1-or-later

#include "tests/fuzz/relay_target.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "broker/base/result.h"
#include "broker/relay/command_line.h"
#include "broker/relay/framing.h"
#include "broker/relay/planner.h"
#include "broker/relay/tracker.h"

namespace openhook::fuzz {

namespace {

using relay::Json;

const std::vector<relay::DiskChain>& Chains() {
  static const std::vector<relay::DiskChain> chains{{"vda", "domain", true, {"/i/top", "/i/base"}}};
  return chains;
}

class Conversation {
 public:
  Conversation() {
    state_ = relay::StateAtStart(
        {"qemu", "-blockdev", "driver=qcow2,node-name=base,file.driver=file,file.filename=/i/base",
         "-blockdev",
         "driver=qcow2,node-name=top,backing=base,file.driver=file,file.filename=/i/top"},
        "/");
    state_.next_job = 1;
  }

  void Manager(const std::string& bytes) {
    std::vector<std::string> frames;
    if (broken_ || !framer_.Add(bytes, &frames)) {
      broken_ = true;
      return;
    }
    for (const std::string& frame : frames) {
      Command(frame);
    }
  }

  // Whatever it says, nothing begins, and every end is of a job that the manager caused.
  void Qemu(const std::string& line) {
    const Json message = Json::parse(line, nullptr, false);
    if (!message.is_object()) {
      return;
    }
    const std::uint64_t before = state_.next_job;
    if (message.contains("event")) {
      tracker_.OnEvent(relay::Source::kManager, message);
    } else {
      tracker_.Answered(message.contains("error") ? relay::Tracker::Answer::kError
                                                  : relay::Tracker::Answer::kDone);
    }
    CheckOrDie(state_.next_job == before, "QEMU has begun a job");
    for (const relay::JobEnd& end : state_.due_ends) {
      CheckOrDie(begun_.contains(end.id), "QEMU has ended a job that nobody began");
    }
  }

  void Finish() {
    const auto again = relay::State::Parse(state_.Serialize());
    CheckOrDie(again && again->Serialize() == state_.Serialize(), "memory is not what it was");
  }

 private:
  void Command(const std::string& frame) {
    const auto command = relay::ParseStrict(frame);
    if (!command || !state_.pending.empty()) {
      return;
    }
    const std::string name = relay::StringAt(*command, "execute");
    const Json& arguments = relay::ObjectAt(*command, "arguments");
    if (ConcernOf(name, arguments, state_) == relay::Concern::kNone) {
      return;
    }
    const relay::Plan plan = PlanCommand(name, arguments, state_, Chains(), &state_.next_job);
    if (plan.refusal.empty()) {
      for (const auto& job : plan.begins) {
        begun_.insert(job.id());
      }
      tracker_.Forwarded(plan);
    }
  }

  relay::CommandFramer framer_;
  relay::State state_;
  relay::Tracker tracker_{&state_};
  std::set<std::string> begun_;
  bool broken_ = false;
};

}  // namespace

void FuzzRelay(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  Conversation conversation;
  std::size_t begin = 0;
  while (begin < input.size()) {
    const std::size_t end = std::min(input.find('\n', begin), input.size() - 1) + 1;
    const std::string line = input.substr(begin, end - begin);
    begin = end;
    if (line.starts_with('<')) {
      conversation.Qemu(line.substr(1));
    } else {
      conversation.Manager(line);
    }
  }
  conversation.Finish();
}

}  // namespace openhook::fuzz
