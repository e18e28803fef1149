// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/apparmor_parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

namespace openhook::label {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

constexpr const char* kProfile = "libvirt-11111111-2222-4333-8444-555555555555";
const std::string kEnforced = std::string(kProfile) + " (enforce)";

TEST(AppArmorLabel, IsANameAndAMode) {
  const struct {
    std::string text;
    std::string name;
    AppArmorMode mode;
    bool stacked;
  } rows[] = {
      {"libvirt-1 (enforce)\n", "libvirt-1", AppArmorMode::kEnforce, false},
      {"libvirt-1 (enforce)", "libvirt-1", AppArmorMode::kEnforce, false},
      {"libvirt-1 (enforce)\n\0"s, "libvirt-1", AppArmorMode::kEnforce, false},
      {"libvirt-1 (complain)\n", "libvirt-1", AppArmorMode::kComplain, false},
      {"libvirt-1 (kill)\n", "libvirt-1", AppArmorMode::kOther, false},
      {"unconfined\n", "unconfined", AppArmorMode::kUnconfined, false},
      {"brk (unconfined)\n", "brk", AppArmorMode::kUnconfined, false},
      {"a//&b (enforce)\n", "a//&b", AppArmorMode::kEnforce, true},
      {":ns://a (enforce)\n", ":ns://a", AppArmorMode::kEnforce, false},
      {"/usr/bin/my vm (1) (enforce)\n", "/usr/bin/my vm (1)", AppArmorMode::kEnforce, false},
      {"x (enforce) (complain)\n", "x (enforce)", AppArmorMode::kComplain, false},
      {"x\n (enforce)", "x\n", AppArmorMode::kEnforce, false},
  };
  for (const auto& row : rows) {
    const auto label = ParseAppArmorLabel(row.text);
    ASSERT_TRUE(label) << row.text;
    EXPECT_EQ(label->name, row.name) << row.text;
    EXPECT_EQ(label->mode, row.mode) << row.text;
    EXPECT_EQ(label->IsStacked(), row.stacked) << row.text;
  }
}

TEST(AppArmorLabel, OtherBytesAreNone) {
  for (const std::string& text :
       {""s, "\n"s, "\0"s, "libvirt-1"s, " (enforce)"s, "(enforce)"s, "libvirt-1 ()"s,
        "libvirt-1 (enforce"s, "libvirt-1 (enforce) "s, "libvirt-1(enforce)"s,
        "libvirt-1 (ENFORCE)"s, "libvirt-1 (enforce)\n\n"s, "a\0b (enforce)"s,
        "libvirt-1 (enforce)\0\0"s, "system_u:system_r:svirt_t:s0:c1,c2"s, "unconfined "s,
        "x (en\0force)"s}) {
    EXPECT_FALSE(ParseAppArmorLabel(text)) << ::testing::PrintToString(text);
  }
}

TEST(AppArmorDemand, OnlyTheVmsOwnProfileAloneAndEnforcedMeetsIt) {
  const std::string profile = kProfile;
  const struct {
    std::string text;
    const char* said;  // nullptr: it is met
  } rows[] = {
      {kEnforced, nullptr},
      {kEnforced + "\n", nullptr},
      {"unconfined\n", "QEMU has to be started in its profile"},
      {profile + " (unconfined)\n", "QEMU has to be started in its profile"},
      {profile + " (complain)\n", "--accept-complain"},
      {profile + " (kill)\n", "not accepted"},
      {"libvirt-99999999-2222-4333-8444-555555555555 (enforce)\n", "another profile"},
      {profile + "x (enforce)\n", "another profile"},
      {profile.substr(0, profile.size() - 1) + " (enforce)\n", "another profile"},
      {profile + " (enforce) (enforce)\n", "another profile"},
      {profile + "\n (enforce)\n", "another profile"},
      {":lxd:" + profile + " (enforce)\n", "another profile"},
      {profile + "//&x (enforce)\n", "several profiles"},
      {"x//&" + profile + " (enforce)\n", "several profiles"},
      {profile + "//child (enforce)\n", "another profile"},
      {profile, "no label"},
      {"", "no label"},
      {kEnforced + "\0"s, nullptr},
      {kEnforced + "\0x"s, "no label"},
  };
  for (const auto& row : rows) {
    const auto met = MeetAppArmorDemand(row.text, {profile});
    ASSERT_EQ(met.has_value(), row.said == nullptr) << row.text;
    if (!met) {
      EXPECT_EQ(met.error().code, ErrorCode::kPermission);
      EXPECT_THAT(met.error().context, HasSubstr("'" + kEnforced + "' only")) << row.text;
      EXPECT_THAT(met.error().context, HasSubstr(row.said)) << row.text;
    }
  }
}

TEST(AppArmorDemand, ComplainModeIsServedWhereThatIsSaid) {
  const AppArmorDemand lenient{kProfile, ComplainMode::kAccepted};
  EXPECT_TRUE(MeetAppArmorDemand(kProfile + " (complain)\n"s, lenient));
  EXPECT_TRUE(MeetAppArmorDemand(kEnforced, lenient));
  EXPECT_FALSE(MeetAppArmorDemand("other (complain)\n", lenient));
  EXPECT_FALSE(MeetAppArmorDemand("unconfined\n", lenient));
}

TEST(AppArmorDemand, ARefusalIsOneLineWhateverTheLabel) {
  const auto met = MeetAppArmorDemand("x\n2026 openhookd: all is well (enforce)\n", {kProfile});
  ASSERT_FALSE(met);
  EXPECT_EQ(met.error().context.find('\n'), std::string::npos);
}

TEST(AppArmorDemand, NoOtherBytesMeetIt) {
  EXPECT_TRUE(rc::check([](const std::string& bytes, std::size_t at, char byte) {
    std::string text = kEnforced;
    text[at % text.size()] = byte;
    RC_ASSERT(MeetAppArmorDemand(text, {kProfile}).has_value() == (text == kEnforced));
    if (!bytes.empty() && bytes != "\n" && bytes != std::string(1, '\0')) {
      RC_ASSERT(!MeetAppArmorDemand(bytes + kEnforced, {kProfile}));
    }
    RC_ASSERT(!MeetAppArmorDemand(bytes, {kProfile}));
  }));
}

}  // namespace
}  // namespace openhook::label
