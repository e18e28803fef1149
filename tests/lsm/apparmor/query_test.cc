// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the kernel answers about a loaded profile.

#include <gtest/gtest.h>

#include <string>

#include "policy/label/apparmor_query.h"
#include "tests/lsm/apparmor/profiles.h"

namespace openhook::label {
namespace {

constexpr FileUses kAll{FileUse::kRead,   FileUse::kWrite,  FileUse::kAppend,
                        FileUse::kCreate, FileUse::kDelete, FileUse::kLock};

class AppArmorQueryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    testing_support::LoadProfile(R"(profile asked {
  "/d/rwk" rwk,
  "/d/rk" rk,
  "/d/r" r,
  "/d/w" w,
  "/d/a" a,
  "/d/ab" rw,
  "/d/denied" rwk,
  deny "/d/denied" w,
  "/d/\040\012\134\052" r,
}
)");
  }
  static std::string Allowed(const std::string& path, FileUses uses = kAll) {
    const auto allowed = AllowedByAppArmor("asked", path, uses);
    return allowed ? allowed->Text() : allowed.error().Message();
  }
};

TEST_F(AppArmorQueryTest, TheAnswerIsWhatTheRulesGive) {
  EXPECT_EQ(Allowed("/d/rwk"), "read, write, append, create, delete, lock");
  EXPECT_EQ(Allowed("/d/rk"), "read, lock");
  EXPECT_EQ(Allowed("/d/r"), "read");
  EXPECT_EQ(Allowed("/d/w"), "write, append, create, delete");
  EXPECT_EQ(Allowed("/d/denied"), "read, lock");
  EXPECT_EQ(Allowed("/d/none"), "");
  EXPECT_EQ(Allowed("/d/r", {FileUse::kRead}), "read");
}

TEST_F(AppArmorQueryTest, EveryByteOfThePathCounts) {
  EXPECT_EQ(Allowed("/d/ab", {FileUse::kRead}), "read");
  EXPECT_EQ(Allowed("/d/abc", {FileUse::kRead}), "");
  EXPECT_EQ(Allowed("/d/rw", {FileUse::kRead}), "");
  EXPECT_EQ(Allowed("/d/ \n\\*", {FileUse::kRead}), "read");
  EXPECT_EQ(Allowed("/d/ \n\\x", {FileUse::kRead}), "");
}

TEST_F(AppArmorQueryTest, AProfileThatIsNotLoadedIsNamed) {
  const auto allowed = AllowedByAppArmor("absent", "/d/r", {FileUse::kRead});
  ASSERT_FALSE(allowed);
  EXPECT_EQ(allowed.error().code, ErrorCode::kNotFound);
}

TEST_F(AppArmorQueryTest, ANameTooLongForAQuestionIsNoAnswer) {
  const auto allowed = AllowedByAppArmor("asked", "/" + std::string(4095, 'x'), {FileUse::kRead});
  ASSERT_FALSE(allowed);
  EXPECT_EQ(allowed.error().code, ErrorCode::kLimit) << allowed.error().Message();
}

TEST_F(AppArmorQueryTest, ComplainModeDoesNotMakeTheAnswerYes) {
  testing_support::LoadProfile("profile complaining flags=(complain) {\n  /d/r r,\n}\n");
  const auto allowed = AllowedByAppArmor("complaining", "/d/none", {FileUse::kRead});
  ASSERT_TRUE(allowed) << allowed.error().Message();
  EXPECT_TRUE(allowed->Empty());
}

}  // namespace
}  // namespace openhook::label
