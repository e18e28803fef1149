// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/profile/apparmor_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"

namespace openhook::apparmor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUuid[] = "11111111-2222-4333-8444-555555555555";
constexpr char kTemplate[] =
    "# comment\n"
    "#include <tunables/global>\n"
    "profile OPENHOOK_TEMPLATE flags=(attach_disconnected) {\n"
    "  #include <abstractions/base>\n"
    "  #include if exists <local/OPENHOOK_TEMPLATE>\n"
    "}\n";

CanonicalPath Path(const std::string& path) { return CanonicalPath::Parse(path).value(); }

TEST(RenderRule, GivesExactlyTheGrantedAccessAndNeverDenies) {
  EXPECT_EQ(RenderRule(Path("/srv/a"), RuleAccess::kRead), "  \"/srv/a\" rk,\n");
  EXPECT_EQ(RenderRule(Path("/srv/a"), RuleAccess::kReadWrite), "  \"/srv/a\" rwk,\n");
}

TEST(EscapePath, LeavesLettersDigitsAndSlashesAndWritesEveryOtherByteInOctal) {
  EXPECT_EQ(EscapePath("/srv/Disk09"), "/srv/Disk09");
  EXPECT_EQ(EscapePath("/a.b c"), "/a\\056b\\040c");
  EXPECT_EQ(EscapePath("\"},@{HOME}*"), "\\042\\175\\054\\100\\173HOME\\175\\052");
  EXPECT_EQ(EscapePath("\xff\x01\n\\"), "\\377\\001\\012\\134");
}

TEST(RenderProfile, PutsNameVariablesAndRulesIntoTheTemplate) {
  const Rules rules{{Path("/srv/b"), RuleAccess::kReadWrite}, {Path("/srv/a"), RuleAccess::kRead}};
  EXPECT_EQ(RenderProfile(kTemplate, {kUuid, "web 1", ""}, rules).value(),
            "# comment\n"
            "#include <tunables/global>\n"
            "@{OPENHOOK_VM}=\"11111111-2222-4333-8444-555555555555\"\n"
            "@{OPENHOOK_NAME}=\"web\\0401\"\n"
            "@{OPENHOOK_SHORT_NAME}=\"web\\0401\"\n"
            "@{OPENHOOK_ID}={[0-9],[0-9][0-9],[0-9][0-9][0-9],[0-9][0-9][0-9][0-9],"
            "[0-9][0-9][0-9][0-9][0-9],[0-9][0-9][0-9][0-9][0-9][0-9],"
            "[0-9][0-9][0-9][0-9][0-9][0-9][0-9],[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9],"
            "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9],"
            "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]}\n"
            "profile libvirt-11111111-2222-4333-8444-555555555555 flags=(attach_disconnected) {\n"
            "  #include <abstractions/base>\n"
            "  #include if exists <local/libvirt-11111111-2222-4333-8444-555555555555>\n"
            "  \"/srv/a\" rk,\n"
            "  \"/srv/b\" rwk,\n"
            "}\n");
}

TEST(RenderProfile, TheShortNameHasTwentyCharactersAsInLibvirtsDirectories) {
  const auto line_of = [](const std::string& name) {
    const std::string text = RenderProfile(kTemplate, {kUuid, name, ""}, {}).value();
    const auto begin = text.find("@{OPENHOOK_SHORT_NAME}");
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  EXPECT_EQ(line_of("abcdefghijklmnopqrst"), "@{OPENHOOK_SHORT_NAME}=\"abcdefghijklmnopqrst\"");
  EXPECT_EQ(line_of("abcdefghijklmnopqrstuvw"), "@{OPENHOOK_SHORT_NAME}=\"abcdefghijklmnopqrst\"");
  EXPECT_EQ(line_of("abcdefghijklmnopqr\u00e4\u00f6\u00fc"),
            "@{OPENHOOK_SHORT_NAME}=\"abcdefghijklmnopqr\\303\\244\\303\\266\"");
}

TEST(RenderProfile, TheNumberOfARunningDomainIsThatNumberAndNothingElse) {
  const std::string text = RenderProfile(kTemplate, {kUuid, "web", "7"}, {}).value();
  EXPECT_THAT(text, HasSubstr("@{OPENHOOK_ID}=7\n"));
  for (const char* id : {"-1", "7 8", "{1,2}", "*", "12345678901"}) {
    EXPECT_FALSE(RenderProfile(kTemplate, {kUuid, "web", id}, {})) << id;
  }
}

TEST(RenderProfile, APathCannotLeaveItsRule) {
  const Rules rules{{Path("/srv/\" rwk, } profile evil { /** rwk,\n}"), RuleAccess::kRead}};
  const std::string text = RenderProfile(kTemplate, {kUuid, "", ""}, rules).value();
  EXPECT_THAT(text, Not(HasSubstr("evil {")));
  EXPECT_THAT(text, Not(HasSubstr("**")));
}

TEST(RenderProfile, RefusesATemplateThatItCannotFill) {
  for (const char* text :
       {"", "profile OPENHOOK_TEMPLATE {", "\nprofile OPENHOOK_TEMPLATE {", "\nprofile other {\n}",
        "\n}\nprofile OPENHOOK_TEMPLATE {", "\nprofile OPENHOOK_TEMPLATE {\n}\nprofile x {\n}\n"}) {
    const auto rendered = RenderProfile(text, {kUuid, "", ""}, {});
    ASSERT_FALSE(rendered) << text;
    EXPECT_THAT(rendered.error().context, HasSubstr("template")) << text;
  }
}

TEST(RenderProfile, RefusesNamesThatAreNone) {
  EXPECT_FALSE(RenderProfile(kTemplate, {"../../x", ""}, {}));
  EXPECT_FALSE(RenderProfile(kTemplate, {"11111111-2222-4333-8444-55555555555A", ""}, {}));
  EXPECT_FALSE(RenderProfile(kTemplate, {kUuid, "a/../b"}, {}));
  EXPECT_FALSE(RenderProfile(kTemplate, {kUuid, std::string(256, 'a')}, {}));
}

TEST(StatesFor, CountsWhatPathsDoNotShare) {
  EXPECT_EQ(StatesFor({}), 0U);
  EXPECT_EQ(StatesFor({{Path("/srv/a"), RuleAccess::kRead}}), 6U);
  EXPECT_EQ(StatesFor({{Path("/srv/a"), RuleAccess::kRead},
                       {Path("/srv/ab"), RuleAccess::kRead},
                       {Path("/srv/bcd"), RuleAccess::kRead}}),
            10U);
}

TEST(CheckFits, RefusesWithASentenceWhatTheParserCouldNotHold) {
  Rules rules;
  for (std::size_t i = 0; StatesFor(rules) <= limits::kMaxProfileStates; ++i) {
    ASSERT_TRUE(CheckFits(rules));
    rules.emplace(Path("/" + std::to_string(i) + std::string(200, 'a') + "/" +
                       std::string(200, 'b') + "/" + std::string(200, 'c')),
                  RuleAccess::kRead);
  }
  const auto fits = CheckFits(rules);
  ASSERT_FALSE(fits);
  EXPECT_EQ(fits.error().code, ErrorCode::kLimit);
  EXPECT_THAT(fits.error().context, HasSubstr("60000 is the limit"));
}

}  // namespace
}  // namespace openhook::apparmor
