// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/choose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::label {
namespace {

using ::testing::HasSubstr;

constexpr const char* kVm = "11111111-2222-4333-8444-555555555555";

KernelFacts Bare() { return {"lockdown,capability,landlock", "N", {}, false, false, true, "", ""}; }
KernelFacts WithAppArmor() {
  return {"lockdown,capability,landlock,apparmor", "Y", {}, true, false, true, "unconfined", ""};
}
KernelFacts WithSelinux() {
  return {"lockdown,capability,selinux", {}, "1", false, true, true,
          "system_u:system_r:init_t:s0", ""};
}
Wanted ForVm() {
  Wanted wanted;
  wanted.vm = kVm;
  return wanted;
}
std::string ErrorOf(const Wanted& wanted, const KernelFacts& facts) {
  const auto chosen = Choose(wanted, facts);
  return chosen ? "chosen: " + (*chosen)->level().sentence : chosen.error().context;
}

TEST(ModuleInForce, IsWhatTheKernelSaysItIs) {
  EXPECT_EQ(ModuleInForce(Bare()), Module::kNone);
  EXPECT_EQ(ModuleInForce({}), Module::kNone);
  EXPECT_EQ(ModuleInForce(WithAppArmor()), Module::kAppArmor);
  EXPECT_EQ(ModuleInForce(WithSelinux()), Module::kSelinux);
  KernelFacts built_in_only = WithAppArmor();
  built_in_only.apparmor_enabled = "N";
  EXPECT_EQ(ModuleInForce(built_in_only), Module::kNone);
  KernelFacts second = WithAppArmor();  // lsm=selinux,apparmor: only the first works
  second.lsm = "capability,selinux";
  EXPECT_EQ(ModuleInForce(second), Module::kSelinux);
  KernelFacts like_it = WithAppArmor();
  like_it.lsm = "capability,notapparmor";
  EXPECT_EQ(ModuleInForce(like_it), Module::kNone);
}

TEST(ModuleInForce, AContainerWithoutSecurityfsIsStillUnderAppArmor) {
  KernelFacts facts = WithAppArmor();
  facts.lsm.reset();
  facts.apparmor_answers = false;
  EXPECT_EQ(ModuleInForce(facts), Module::kAppArmor);
}

TEST(Choose, WithoutAModulePeersAreIdentifiedByUidAndThatIsSaid) {
  const auto chosen = Choose(ForVm(), Bare());
  ASSERT_TRUE(chosen);
  const Level& level = (*chosen)->level();
  EXPECT_EQ(level.checked, Checked::kNothing);
  EXPECT_EQ(level.demanded, "");
  EXPECT_EQ(level.sentence, "no security module in force: peers are identified by their uid only");
  EXPECT_TRUE((*chosen)->Demanded()->MayUse("/any", {FileUse::kWrite}));
}

TEST(Choose, UnderAppArmorTheVmsProfileIsDemandedUnlessToldOtherwise) {
  const auto chosen = Choose(ForVm(), WithAppArmor());
  ASSERT_TRUE(chosen);
  const Level& level = (*chosen)->level();
  EXPECT_EQ(level.module, Module::kAppArmor);
  EXPECT_EQ(level.checked, Checked::kPeerAndFiles);
  EXPECT_EQ(level.demanded, std::string("libvirt-") + kVm + " (enforce)");
  EXPECT_THAT(level.sentence, HasSubstr("by attr/current (SO_PEERPIDFD)"));
  EXPECT_THAT(level.sentence, HasSubstr("does not check hand-overs again"));

  Wanted other = ForVm();
  ASSERT_TRUE(ParsePeerLabel("my vm (enforce)", &other));
  EXPECT_EQ((*Choose(other, WithAppArmor()))->level().demanded, "my vm (enforce)");
}

TEST(Choose, TheLevelSaysByWhatPeersAreKnownAndWhetherTheKernelLooksAgain) {
  KernelFacts newer = WithAppArmor();
  newer.socket_labels = true;
  newer.own_label = "openhookd (enforce)";
  const auto chosen = Choose(ForVm(), newer);
  ASSERT_TRUE(chosen);
  EXPECT_THAT((*chosen)->level().sentence, HasSubstr("by SO_PEERSEC and attr/current"));
  EXPECT_THAT((*chosen)->level().sentence, HasSubstr("the kernel checks each hand-over again"));
  KernelFacts older = WithAppArmor();
  older.peer_pidfds = false;
  EXPECT_THAT((*Choose(ForVm(), older))->level().sentence, HasSubstr("attr/current (pidfd)"));
}

TEST(Choose, UncheckedIsALevelThatNamesTheModuleItPassesBy) {
  Wanted wanted = ForVm();
  ASSERT_TRUE(ParsePeerLabel("unchecked", &wanted));
  const auto chosen = Choose(wanted, WithAppArmor());
  ASSERT_TRUE(chosen);
  EXPECT_EQ((*chosen)->level().module, Module::kAppArmor);
  EXPECT_EQ((*chosen)->level().checked, Checked::kNothing);
  EXPECT_THAT((*chosen)->level().sentence, HasSubstr("AppArmor is in force, but --peer-label"));
  EXPECT_TRUE(Choose(wanted, Bare())) << "the same command line on a host without a module";
}

TEST(Choose, NothingWeakerThanWhatWasAskedForIsChosen) {
  Wanted required = ForVm();
  ASSERT_TRUE(ParseRequired("apparmor", &required));
  EXPECT_THAT(ErrorOf(required, Bare()), HasSubstr("this kernel has no security module in force"));
  EXPECT_THAT(ErrorOf(required, WithSelinux()), HasSubstr("this kernel has SELinux in force"));
  EXPECT_THAT(ErrorOf(required, WithAppArmor()), HasSubstr("chosen: apparmor"));

  Wanted contradictory = required;
  contradictory.unchecked = true;
  EXPECT_THAT(ErrorOf(contradictory, WithAppArmor()), HasSubstr("contradict"));

  Wanted labelled = ForVm();
  labelled.peer_label = "libvirt-x";
  EXPECT_THAT(ErrorOf(labelled, Bare()), HasSubstr("no peer could be served"));

  KernelFacts unseen = WithAppArmor();
  unseen.apparmor_answers = false;
  EXPECT_THAT(ErrorOf(ForVm(), unseen), HasSubstr("mount securityfs"));
}

// As a profile of openhookd's does that forgets them: labels are not left unchecked for that.
TEST(Choose, WhatCannotBeReadDoesNotPassForAbsent) {
  KernelFacts hidden;
  hidden.unreadable = "/sys/module/apparmor/parameters/enabled";
  EXPECT_THAT(ErrorOf(ForVm(), hidden), HasSubstr("cannot tell which security module"));
  Wanted unchecked = ForVm();
  unchecked.unchecked = true;
  EXPECT_TRUE(Choose(unchecked, hidden));
}

TEST(Choose, SelinuxComparesTheLabelOfTheSocketAndSaysWhatItLeaves) {
  Wanted wanted = ForVm();
  EXPECT_THAT(ErrorOf(wanted, WithSelinux()),
              HasSubstr("SELinux is in force, but no --peer-label"));
  Wanted required = wanted;
  ASSERT_TRUE(ParseRequired("selinux", &required));
  EXPECT_THAT(ErrorOf(required, WithSelinux()), HasSubstr("needs the label"));
  ASSERT_TRUE(ParsePeerLabel("system_u:system_r:svirt_t:s0:c1,c2", &required));
  const auto chosen = Choose(required, WithSelinux());
  ASSERT_TRUE(chosen);
  EXPECT_EQ((*chosen)->level().checked, Checked::kPeer);
  const UniqueFd none;
  EXPECT_TRUE((*chosen)->Identify({1, &none, "system_u:system_r:svirt_t:s0:c1,c2"})->Confirm());
  EXPECT_FALSE((*chosen)->Identify({1, &none, "system_u:system_r:svirt_t:s0:c1,c3"})->Confirm());
  EXPECT_FALSE((*chosen)->Identify({1, &none, std::nullopt})->Confirm());
}

TEST(PeerLabelOption, WhatConfinesNobodyIsNoLabel) {
  for (const char* text : {"", "unconfined", "x (complain)", "a//&b", "a\nb"}) {
    Wanted wanted;
    EXPECT_FALSE(ParsePeerLabel(text, &wanted)) << text;
  }
}

}  // namespace
}  // namespace openhook::label
