// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/profile_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace openhook::aa_helper {
namespace {

constexpr char kUuid[] = "11111111-2222-3333-4444-555555555555";
constexpr char kTemplate[] =
    "#include <tunables/global>\n\nprofile LIBVIRT_TEMPLATE flags=(attach_disconnected) {\n"
    "  #include <abstractions/libvirt-qemu>\n}\n";

class ProfileFilesTest : public testing::Test {
 protected:
  ProfileFilesTest() : directory_(testing::TempDir() + "aa-" + std::to_string(::getpid())) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_ + "/libvirt");
    std::ofstream(directory_ + "/libvirt/TEMPLATE.qemu") << kTemplate;
  }
  ~ProfileFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  ProfileFiles files_{directory_, kUuid};
};

TEST(RenderTemplate, TheProfileHasItsNameAndIncludesItsRules) {
  const auto text = RenderTemplate(kTemplate, "libvirt-x");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "#include <tunables/global>\n\nprofile libvirt-x flags=(attach_disconnected) {\n"
            "  #include <abstractions/libvirt-qemu>\n  #include <libvirt/libvirt-x.files>\n}\n");
}

TEST(RenderTemplate, ATemplateWithoutItsLinesIsRefused) {
  EXPECT_FALSE(RenderTemplate("profile other {\n}\n", "libvirt-x"));
  EXPECT_FALSE(RenderTemplate("\nprofile LIBVIRT_TEMPLATE {", "libvirt-x"));
}

TEST_F(ProfileFilesTest, RulesAreReplacedAndPutBack) {
  EXPECT_FALSE(files_.ReadRules()->has_value());
  ASSERT_TRUE(files_.WriteRules("one"));
  const auto before = files_.ReadRules();
  ASSERT_TRUE(files_.WriteRules("two"));
  ASSERT_TRUE(files_.PutBack(*before));
  EXPECT_EQ(files_.ReadRules()->value(), "one");
  ASSERT_TRUE(files_.PutBack(std::nullopt));
  EXPECT_FALSE(files_.ReadRules()->has_value());
}

TEST_F(ProfileFilesTest, AnEmptyProfileIsNone) {
  EXPECT_FALSE(files_.HasProfile());
  std::ofstream(files_.ProfilePath()).close();
  EXPECT_FALSE(files_.HasProfile());
  ASSERT_TRUE(files_.MakeProfile());
  EXPECT_TRUE(files_.HasProfile());
}

TEST_F(ProfileFilesTest, MoreRulesThanAProfileHoldsAreRefusedBeforeAnythingIsLoaded) {
  VmRules rules;
  for (int i = 0; i < 2000; ++i) {
    rules.definition.push_back(
        {"/srv/" + std::to_string(i * 7919) + std::string(60, 'x'), "", "rwk"});
  }
  ASSERT_TRUE(files_.MakeProfile());
  const auto loaded = files_.Load(rules);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace openhook::aa_helper
