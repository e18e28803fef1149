// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/state.h"

namespace openhook::relay {

void State::Apply(const Effects& effects) {
  due_ends.insert(due_ends.end(), effects.ends.begin(), effects.ends.end());
  due_revokes.insert(due_revokes.end(), effects.revokes.begin(), effects.revokes.end());
  graph.Insert(effects.nodes);
  for (const Move& move : effects.moves) {
    for (auto& [root, node] : roots) {
      node = node == move.from ? move.to : node;
    }
  }
  for (const auto& [root, node] : effects.roots) {
    roots[root] = node;
  }
  for (const std::string& root : effects.bare) {
    roots.erase(root);
  }
  for (const std::string& owner : effects.released) {
    for (const std::string& job : holds[owner]) {
      due_ends.push_back({job, proto::JOB_STATE_COMPLETED});
    }
    holds.erase(owner);
  }
  for (const auto& [owner, jobs] : effects.holds) {
    holds[owner].insert(holds[owner].end(), jobs.begin(), jobs.end());
  }
  for (const std::string& name : effects.gone) {
    graph.Erase(name);
  }
  if (effects.migration != Migration::kUnchanged) {
    left = effects.migration == Migration::kLeft;
  }
}

void State::Finish(const Tracked& job, int outcome) {
  due_ends.push_back({job.id, outcome});
  const bool changed =
      job.pivots ? outcome == proto::JOB_STATE_PIVOTED : outcome != proto::JOB_STATE_ABORTED;
  if (changed) {
    Apply(job.effects);
  }
}

std::string State::Serialize() const { return Json(*this).dump(); }

// The library reports by exceptions what it cannot convert; they end here.
Result<State> State::Parse(const std::string& text) {
  try {
    return Json::parse(text).get<State>();
  } catch (const Json::exception& error) {
    return Fail(ErrorCode::kCorrupt, std::string("the relay's memory is damaged: ") + error.what());
  }
}

}  // namespace openhook::relay
