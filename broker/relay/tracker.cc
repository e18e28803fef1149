// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/tracker.h"

#include <algorithm>
#include <utility>

namespace openhook::relay {

namespace {

bool Contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

int Tracker::OutcomeOf(const Tracked& job) {
  if (job.failed || (job.pivots && !job.completed)) {
    return proto::JOB_STATE_ABORTED;
  }
  return job.pivots ? proto::JOB_STATE_PIVOTED : proto::JOB_STATE_COMPLETED;
}

void Tracker::Forwarded(const Plan& plan) {
  Pending pending;
  for (const auto& job : plan.begins) {
    pending.begun.push_back(job.id());
  }
  pending.completes = plan.completes;
  pending.watched = plan.watched;
  pending.sign = plan.sign;
  pending.effects = plan.effects;
  state_->pending = {std::move(pending)};
  state_->tracked.insert(state_->tracked.end(), plan.tracked.begin(), plan.tracked.end());
  // The job may be over before the answer to this command is read.
  for (Tracked& job : state_->tracked) {
    job.completed = job.completed || Contains(plan.completes, job.qemu);
  }
}

void Tracker::Answered(Answer answer) {
  if (state_->pending.empty()) {
    return;
  }
  const Pending pending = std::move(state_->pending.front());
  state_->pending.clear();
  if (answer == Answer::kDone) {
    state_->Apply(pending.effects);
    return;
  }
  for (const std::string& id : pending.begun) {
    state_->due_ends.push_back({id, proto::JOB_STATE_ABORTED});
  }
  std::erase_if(state_->tracked,
                [&](const Tracked& job) { return Contains(pending.begun, job.id); });
  for (Tracked& job : state_->tracked) {
    job.completed = job.completed && !Contains(pending.completes, job.qemu);
  }
}

void Tracker::EndTracked(const std::function<bool(const Tracked&)>& which, int outcome) {
  std::vector<Tracked> over;
  std::erase_if(state_->tracked, [&](const Tracked& job) {
    if (which(job)) {
      over.push_back(job);
    }
    return which(job);
  });
  for (const Tracked& job : over) {
    state_->Finish(job, outcome == proto::JOB_STATE_UNSPECIFIED ? OutcomeOf(job) : outcome);
  }
}

void Tracker::OnJobStatus(Source source, const std::string& id, const std::string& status) {
  const auto bit = static_cast<unsigned>(source);
  if (status == "created") {
    for (Tracked& job : state_->tracked) {
      job.seen |= job.until == Until::kJob && job.qemu == id ? bit : 0U;
    }
  } else if (status == "aborting") {
    for (Tracked& job : state_->tracked) {
      job.failed = job.failed || (job.qemu == id && (job.seen & bit) != 0);
    }
  } else if (status == "concluded" || status == "null") {
    EndTracked(
        [&](const Tracked& job) {
          return job.until == Until::kJob && job.qemu == id && (job.seen & bit) != 0;
        },
        proto::JOB_STATE_UNSPECIFIED);
  }
}

void Tracker::OnEvent(Source source, const Json& message) {
  const std::string event = StringAt(message, "event");
  const Json& data = ObjectAt(message, "data");
  if (event == "JOB_STATUS_CHANGE") {
    OnJobStatus(source, StringAt(data, "id"), StringAt(data, "status"));
  } else if (event == "MIGRATION") {
    OnMigration(StringAt(data, "status"));
  } else if (event == "DUMP_COMPLETED") {
    EndTracked([](const Tracked& job) { return job.until == Until::kDump; },
               proto::JOB_STATE_COMPLETED);
  }
}

void Tracker::OnMigration(const std::string& status) {
  // What is said before the command was answered may be about the migration before.
  if (!state_->pending.empty()) {
    return;
  }
  const auto migrates = [](const Tracked& job) { return job.until == Until::kMigration; };
  if (status == "completed") {
    EndTracked(migrates, proto::JOB_STATE_COMPLETED);
  } else if (status == "failed" || status == "cancelled") {
    EndTracked(migrates, proto::JOB_STATE_ABORTED);
  }
}

void Tracker::SourceBegan(Source source) {
  for (Tracked& job : state_->tracked) {
    job.seen |= job.seen != 0 ? static_cast<unsigned>(source) : 0U;
  }
}

void Tracker::Reconcile(const std::map<std::string, Listed>& jobs, const Resolve& resolve) {
  if (!state_->pending.empty()) {
    const Pending& pending = state_->pending.front();
    const bool starts =
        std::any_of(state_->tracked.begin(), state_->tracked.end(),
                    [&](const Tracked& job) { return Contains(pending.begun, job.id); });
    // A job that was started is found below, or has ended.
    const bool done = starts || resolve(pending.watched, pending.sign);
    Answered(done ? Answer::kDone : Answer::kError);
  }
  for (Tracked& job : state_->tracked) {
    const auto listed = jobs.find(job.qemu);
    if (job.until != Until::kJob) {
      continue;
    }
    if (listed != jobs.end() && !listed->second.over) {
      job.seen |= static_cast<unsigned>(Source::kWatch) | static_cast<unsigned>(Source::kManager);
      continue;
    }
    job.seen = static_cast<unsigned>(Source::kWatch);
    job.failed = listed == jobs.end() ? !resolve(job.watched, job.sign) : listed->second.failed;
  }
  EndTracked(
      [&](const Tracked& job) {
        const auto listed = jobs.find(job.qemu);
        return job.until == Until::kJob && (listed == jobs.end() || listed->second.over);
      },
      proto::JOB_STATE_UNSPECIFIED);
}

void Tracker::QemuEnded() {
  EndTracked([](const Tracked&) { return true; }, proto::JOB_STATE_ABORTED);
  for (auto& [owner, jobs] : std::exchange(state_->holds, {})) {
    for (const std::string& job : jobs) {
      state_->due_ends.push_back({job, proto::JOB_STATE_COMPLETED});
    }
  }
}

bool Tracker::WaitsForMigration() const {
  return state_->pending.empty() &&
         std::any_of(state_->tracked.begin(), state_->tracked.end(),
                     [](const Tracked& job) { return job.until == Until::kMigration; });
}

}  // namespace openhook::relay
