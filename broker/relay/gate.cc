// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/gate.h"

#include <algorithm>
#include <set>

#include "broker/base/text.h"
#include "broker/relay/say.h"

namespace openhook::relay {

namespace {

std::set<std::string> KnownJobs(const State& state) {
  std::set<std::string> known;
  for (const Tracked& job : state.tracked) {
    known.insert(job.id);
  }
  for (const auto& [owner, jobs] : state.holds) {
    known.insert(jobs.begin(), jobs.end());
  }
  for (const Pending& pending : state.pending) {
    known.insert(pending.begun.begin(), pending.begun.end());
  }
  for (const JobEnd& end : state.due_ends) {
    known.insert(end.id);
  }
  return known;
}

}  // namespace

Result<void> Gate::Remember() { return memory_->Write(state_.Serialize()); }

// After QEMU has said something: what follows from it is remembered, and told where that is
// possible now.
void Gate::Settle() {
  if (const auto remembered = Remember(); !remembered) {
    Say(remembered.error().Message());
  }
  PayDebts(Wait::kNot);
}

void Gate::EndOrphans() {
  const auto jobs = link_->ListJobs(Wait::kNot);
  if (!jobs) {
    return;  // they are found when the broker is there again: see Prepare()
  }
  const std::set<std::string> known = KnownJobs(state_);
  state_.next_job = std::max(state_.next_job, jobs->next);
  for (const std::string& id : jobs->running) {
    if (!known.contains(id)) {
      state_.due_ends.push_back({id, proto::JOB_STATE_ABORTED});
    }
  }
  Settle();
}

Gate::Admission Gate::Admit(const Json& command) {
  const bool out_of_band = command.contains("exec-oob");
  const std::string name = StringAt(command, out_of_band ? "exec-oob" : "execute");
  const Json& arguments = ObjectAt(command, "arguments");
  const Concern concern = ConcernOf(name, arguments, state_);
  if (concern == Concern::kNone) {
    return {};
  }
  if (out_of_band) {
    return {"openhook follows the command " + Quote(name) + " only in its turn: use \"execute\"",
            false};
  }
  return Prepare(name, arguments, concern);
}

Gate::Admission Gate::Prepare(const std::string& name, const Json& arguments, Concern concern) {
  std::vector<DiskChain> chains;
  if (concern == Concern::kAsking) {
    PayDebts(Wait::kPatiently);
    if (state_.next_job == 0) {
      EndOrphans();
    }
    auto asked = link_->Chains();
    if (!asked) {
      return {"openhook has not passed on " + Quote(name) + ": " + asked.error().Message(), false};
    }
    chains = std::move(*asked);
  }
  const Plan plan = PlanCommand(name, arguments, state_, chains, &state_.next_job);
  if (!plan.refusal.empty()) {
    return {plan.refusal, false};
  }
  if (const auto begun = BeginAll(plan); !begun) {
    return {"openhook has not passed on " + Quote(name) + ": " + begun.error().Message(), false};
  }
  tracker_.Forwarded(plan);
  if (const auto remembered = Remember(); !remembered) {
    Answered(Tracker::Answer::kError);
    return {"openhook has not passed on " + Quote(name) + ": " + remembered.error().Message(),
            false};
  }
  return {"", true};
}

Result<void> Gate::BeginAll(const Plan& plan) {
  for (std::size_t i = 0; i < plan.begins.size(); ++i) {
    auto begun = link_->Begin(plan.begins[i]);
    if (!begun) {
      // The failing one too: its answer may have got lost.
      for (std::size_t j = 0; j <= i; ++j) {
        state_.due_ends.push_back({plan.begins[j].id(), proto::JOB_STATE_ABORTED});
      }
      Settle();
      return begun;
    }
  }
  return {};
}

void Gate::Answered(Tracker::Answer answer) {
  tracker_.Answered(answer);
  Settle();
}

void Gate::OnEvent(Source source, const Json& message) {
  if (source == Source::kWatch && handover_ == Handover::kDone) {
    return;
  }
  tracker_.OnEvent(source, message);
  if (Owes()) {
    Settle();
  }
}

void Gate::OnMigration(const std::string& status) {
  tracker_.OnMigration(status);
  if (Owes()) {
    Settle();
  }
}

void Gate::ManagerBegan() { tracker_.SourceBegan(Source::kManager); }

void Gate::ManagerEnded() {
  handover_ = Handover::kNone;
  tracker_.SourceBegan(Source::kWatch);
}

bool Gate::TakeHandover() {
  const bool wanted = handover_ == Handover::kWanted;
  handover_ = wanted ? Handover::kAsked : handover_;
  return wanted;
}

void Gate::Reconcile(const std::map<std::string, Tracker::Listed>& jobs) {
  tracker_.Reconcile(
      jobs, [this](const std::string& file, Sign sign) { return link_->Tells(file, sign); });
  handover_ = handover_ == Handover::kAsked ? Handover::kDone : handover_;
  Settle();
}

void Gate::QemuEnded() {
  tracker_.QemuEnded();
  PayDebts(Wait::kPatiently);
}

// True when it need not be tried again.
bool Gate::EndOne(const JobEnd& end, Wait wait) {
  auto ended = link_->End(end, wait);
  if (ended || link_->IsDown()) {
    return ended.has_value();
  }
  if (end.outcome != proto::JOB_STATE_ABORTED) {
    Say("the job " + end.id +
        " cannot end as QEMU says, and is aborted: " + ended.error().Message());
    return EndOne({end.id, proto::JOB_STATE_ABORTED}, wait);
  }
  return true;  // it has ended before, or never began
}

void Gate::PayDebts(Wait wait) {
  const bool owed = Owes();
  while (!state_.due_ends.empty() && EndOne(state_.due_ends.front(), wait)) {
    state_.due_ends.erase(state_.due_ends.begin());
  }
  while (state_.due_ends.empty() && !state_.due_revokes.empty()) {
    const auto revoked = link_->Revoke(state_.due_revokes.front(), wait);
    if (!revoked && link_->IsDown()) {
      break;
    }
    state_.due_revokes.erase(state_.due_revokes.begin());
  }
  if (owed) {
    if (const auto remembered = Remember(); !remembered) {
      Say(remembered.error().Message());
    }
  }
}

}  // namespace openhook::relay
