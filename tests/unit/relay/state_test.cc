// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/state.h"

#include <gtest/gtest.h>

namespace openhook::relay {
namespace {

TEST(State, ComesBackAsItWas) {
  State state;
  state.cwd = "/x";
  state.graph.Insert({{"n", {"file", "/i/n", "", "", true, false}}});
  state.roots["qdev:a"] = "n";
  state.holds["node:n"] = {"qmp-1-n"};
  state.tracked.push_back({.id = "qmp-2-j", .qemu = "j", .kind = 1, .pivots = true, .seen = 3});
  state.pending.push_back({.begun = {"qmp-3-x"}, .watched = "/w", .sign = Sign::kNotHeld});
  state.due_ends.push_back({"qmp-0-z", proto::JOB_STATE_ABORTED});
  state.due_revokes.push_back("device:q");
  state.next_job = 7;
  state.left = true;
  const auto again = State::Parse(state.Serialize());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->Serialize(), state.Serialize());
  EXPECT_EQ(again->graph.FileOf("n"), "/i/n");
  EXPECT_EQ(again->pending.at(0).sign, Sign::kNotHeld);
}

TEST(State, DamageIsAnError) {
  for (const char* text : {"", "{", "{}", "[]", R"({"cwd":3})"}) {
    EXPECT_FALSE(State::Parse(text)) << text;
  }
}

}  // namespace
}  // namespace openhook::relay
