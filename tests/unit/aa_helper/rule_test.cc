// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/rule.h"

#include <gtest/gtest.h>

namespace openhook::aa_helper {
namespace {

TEST(AaRule, EveryByteOfANameComesBackFromItsLine) {
  for (int byte = 1; byte < 256; ++byte) {
    const Rule rule{std::string("/srv/a") + static_cast<char>(byte) + "b", "", "rwk"};
    const auto parsed = ParseLine(RenderLine(rule));
    ASSERT_TRUE(parsed) << byte;
    EXPECT_EQ(parsed->rule.path, rule.path) << byte;
    EXPECT_EQ(parsed->rule.pattern, "") << byte;
    EXPECT_EQ(parsed->rule.perms, "rwk") << byte;
  }
}

TEST(AaRule, APatternStaysWhatItIsAndANameInItIsNone) {
  const Rule rule{"/run/libvirt/a*b/", "{,**}", "rw"};
  EXPECT_EQ(RenderLine(rule), R"(  "/run/libvirt/a\052b/{,**}" rw,)");
  const auto parsed = ParseLine(RenderLine(rule));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->rule.path, rule.path);
  EXPECT_EQ(parsed->rule.pattern, rule.pattern);
  EXPECT_TRUE(parsed->rule.IsPattern());
}

TEST(AaRule, ForPeopleOnlyWhatWouldMeanSomethingElseIsOctal) {
  EXPECT_EQ((Rule{"/srv/my vm-1_a.img", "", "r"}).Shown(), "/srv/my vm-1_a.img");
  EXPECT_EQ((Rule{"/srv/a*", "", "r"}).Shown(), R"(/srv/a\052)");
  EXPECT_EQ((Rule{"/run/", R"(**/vm\137\056pid)", "r"}).Shown(), "/run/**/vm_.pid");
}

TEST(AaRule, LinesThatAreNoRulesOfOursAreNone) {
  for (const char* line : {"", "# Made by", R"(  deny "/srv/a" w,)", R"(  "/srv/a" rw)",
                           R"(  "srv/a" r,)", R"(  "/srv/a" ,)", R"(  "/srv/a)"}) {
    EXPECT_FALSE(ParseLine(line)) << line;
  }
}

TEST(AaRule, LettersAreUnitedAndTaken) {
  EXPECT_EQ(Union("rk", "rw"), "rwk");
  EXPECT_EQ(Without("rwk", "w"), "rk");
  std::vector<Rule> rules;
  AddTo(&rules, {"/a", "", "r"});
  AddTo(&rules, {"/a", "", "w"});
  AddTo(&rules, {"/a", "/**", "r"});
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(PermsFor(rules, {"/a", "", ""}), "rw");
}

}  // namespace
}  // namespace openhook::aa_helper
