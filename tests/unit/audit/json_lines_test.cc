// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/audit/json_lines.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "broker/audit/journal.h"
#include "tests/support/temp_tree.h"

namespace openhook::audit {
namespace {

Event Denial() {
  Event event;
  event.seq = 7;
  event.operation = Operation::kOpen;
  event.outcome = Outcome::kDeny;
  event.path = "/a\n{\"verdict\":\"allow\"}\xff";
  event.access = "write";
  event.rule = "not-whitelisted";
  event.reason = "the name is not on the whitelist";
  event.leases = std::make_shared<std::vector<std::string>>(1, "domain");
  event.subject = std::make_shared<Subject>(Subject{1, 2, 3, "label\n"});
  return event;
}

TEST(JsonLines, AHostilePathStaysInsideOfItsString) {
  const std::string line = ToJsonLine(Denial(), 4);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line, nullptr, false);
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["verdict"], "deny");
  EXPECT_EQ(json["path"], "/a\\x0a{\"verdict\":\"allow\"}\\xff");
  EXPECT_EQ(json["leases"][0], "domain");
  EXPECT_EQ(json["uid"], 2);
  EXPECT_EQ(json["not_written_before"], 4);
}

TEST(JsonLines, TheSinkAppendsOneLinePerEvent) {
  const testing::TempTree tree;
  auto sink = MakeJsonLinesSink(tree.Path("log"));
  ASSERT_TRUE(sink);
  (*sink)->Write(Denial(), 0);
  (*sink)->Write(Denial(), 0);
  const std::string log = testing::ReadFile(tree.Path("log"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2);
}

TEST(JsonLines, ALogThatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(MakeJsonLinesSink("/nowhere/log"));
}

TEST(ToSentence, SaysWhatWasAskedAndWhy) {
  Event event = Denial();
  event.path = "/a";
  event.remedy = "openhookctl grant PATH";
  EXPECT_EQ(ToSentence(event),
            "open '/a' for write: deny (not-whitelisted): the name is not on the whitelist; "
            "remedy: openhookctl grant PATH");
}

}  // namespace
}  // namespace openhook::audit
