// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/definition_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace openhook::aa_helper {
namespace {

using domain::Access;
using domain::Kind;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

ctl::PlannedGrant Image(const std::string& path, std::uint32_t depth,
                        const std::string& source = "disk vda") {
  return {.path = path,
          .requested = path,
          .access = depth == 0 ? Access::kReadWrite : Access::kRead,
          .source = source,
          .depth = depth,
          .role = depth == 0 ? "image" : "backing"};
}

std::vector<std::string> Lines(const std::vector<Rule>& rules) {
  std::vector<std::string> lines;
  for (const Rule& rule : rules) {
    lines.push_back(rule.Shown() + " " + rule.perms);
  }
  return lines;
}

std::vector<std::string> Paths(const ctl::HostPlan& plan) {
  std::vector<std::string> paths;
  for (const ctl::PlannedGrant& grant : plan.grants) {
    paths.push_back(grant.path);
  }
  return paths;
}

Moment Holding(std::map<std::string, Hold> held) {
  return {[held = std::move(held)](const std::string& path) {
            const auto found = held.find(path);
            return found == held.end() ? Hold::kNot : found->second;
          },
          1};
}

TEST(DefinitionRules, AreExactAndDenyNothing) {
  ctl::HostPlan plan;
  plan.grants = {Image("/srv/top", 0),
                 Image("/srv/base", 1),
                 {.path = "/srv/kernel", .access = Access::kRead},
                 {.path = "/dev/ttyS0", .access = Access::kReadWrite, .kind = Kind::kCharacter}};
  const auto rules = RulesOfPlan(plan);
  ASSERT_TRUE(rules);
  EXPECT_THAT(Lines(*rules),
              ElementsAre("/srv/top rwk", "/srv/base rk", "/srv/kernel r", "/dev/ttyS0 rw"));
}

TEST(DefinitionRules, ADirectoryIsItselfAndAllBelow) {
  ctl::HostPlan plan;
  plan.grants = {{.path = "/srv/share", .access = Access::kReadWrite, .kind = Kind::kDirectory}};
  EXPECT_THAT(Lines(*RulesOfPlan(plan)), ElementsAre("/srv/share/ r", "/srv/share/** rwkl"));
}

TEST(DefinitionRules, ARenderNodeBringsWhatMesaReads) {
  ctl::HostPlan plan;
  plan.grants = {
      {.path = "/dev/dri/renderD128", .access = Access::kReadWrite, .kind = Kind::kCharacter}};
  const auto lines = Lines(*RulesOfPlan(plan));
  EXPECT_THAT(lines, Contains("/dev/dri/ r"));
  EXPECT_THAT(lines, Contains("/usr/lib{,32,64}/dri/*.so* rm"));
}

TEST(DefinitionRules, AFileOfTheHostsRefusesTheWholeDefinition) {
  ctl::HostPlan plan;
  plan.grants = {Image("/srv/top", 0), Image("/usr/lib/x.img", 0)};
  const auto rules = RulesOfPlan(plan);
  ASSERT_FALSE(rules);
  EXPECT_THAT(rules.error().context, HasSubstr("skipped restricted file"));
  plan.grants.pop_back();
  plan.refused = {{"/root/x", "disk vdb", "is never given to a machine"}};
  EXPECT_THAT(RulesOfPlan(plan).error().context, HasSubstr("/root/x: skipped restricted file"));
}

TEST(DefinitionRules, WhatRootMayNotLookAtIsGivenAsItIsSpelled) {
  domain::Plan plan;
  plan.files = {{.path = "/nfs//a.qcow2",
                 .access = Access::kReadWrite,
                 .source = "disk vda",
                 .role = domain::Role::kImage},
                {.path = "/root/b", .source = "disk vdb"}};
  ctl::HostPlan on_host;
  on_host.refused = {
      {"/nfs//a.qcow2", "disk vda", "cannot be looked at", domain::Refusal::Because::kUnreadable},
      {"/root/b", "disk vdb", "cannot be looked at", domain::Refusal::Because::kUnreadable}};
  const auto told = TakeUnreadableAsSpelled(plan, domain::ForbiddenPaths::Default(), &on_host);
  EXPECT_THAT(told, ElementsAre("disk vda: '/nfs//a.qcow2' cannot be looked at"));
  ASSERT_EQ(on_host.refused.size(), 1U);
  EXPECT_EQ(on_host.refused.front().path, "/root/b");
  on_host.refused.clear();
  EXPECT_THAT(Lines(*RulesOfPlan(on_host)), ElementsAre("/nfs/a.qcow2 rwk"));
}

TEST(DefinitionRules, AnImageWhoseHeaderCannotBeReadIsGivenAlone) {
  domain::Plan plan;
  plan.files = {{.path = "/srv/a", .access = Access::kReadWrite, .source = "disk vda"}};
  ctl::HostPlan on_host;
  on_host.grants = {Image("/srv/a", 0)};
  on_host.refused = {{"/srv/a", "disk vda", "has a chain that cannot be planned",
                      domain::Refusal::Because::kUnreadable}};
  TakeUnreadableAsSpelled(plan, domain::ForbiddenPaths::Default(), &on_host);
  EXPECT_THAT(Lines(*RulesOfPlan(on_host)), ElementsAre("/srv/a rwk"));
}

TEST(DefinitionRules, OfEveryMachineAreTheOriginals) {
  EXPECT_THAT(
      Lines(RulesOfEveryMachine("a_name_of_more_than_twenty_bytes", "")),
      ElementsAre("/var/log/libvirt/**/a_name_of_more_than_twenty_bytes.log w",
                  "/var/lib/libvirt/qemu/domain-a_name_of_more_than_twenty_bytes/monitor.sock rw",
                  "/var/lib/libvirt/qemu/domain--1-a_name_of_more_than_/* rw",
                  "/run/libvirt/**/a_name_of_more_than_twenty_bytes.pid rwk",
                  "/run/libvirt/**/*.tunnelmigrate.dest.a_name_of_more_than_twenty_bytes rw"));
  EXPECT_THAT(Lines(RulesOfEveryMachine("vm", "7-vm")),
              Contains("/var/lib/libvirt/qemu/domain-7-vm/* rw"));
}

TEST(DefinitionRules, AStarInANameIsNoPattern) {
  EXPECT_THAT(Lines(RulesOfEveryMachine("a*", "")), Contains(R"(/run/libvirt/**/a\052.pid rwk)"));
}

// A copy of vda: QEMU has both sides while it runs.
ctl::HostPlan Copying() {
  ctl::HostPlan plan;
  plan.grants = {Image("/srv/top", 0), Image("/srv/base", 1),
                 Image("/srv/copy", 0, "disk vda mirror"), Image("/srv/other", 0, "disk vdb")};
  return plan;
}

TEST(FinishedSides, WhileACopyRunsBothSidesStay) {
  ctl::HostPlan plan = Copying();
  LeaveOutFinishedSides(Holding({{"/srv/top", Hold::kForWriting},
                                 {"/srv/base", Hold::kForReading},
                                 {"/srv/copy", Hold::kForWriting}}),
                        &plan);
  EXPECT_EQ(Paths(plan).size(), 4U);
}

TEST(FinishedSides, AfterAPivotTheOldSideGoes) {
  ctl::HostPlan plan = Copying();
  LeaveOutFinishedSides(Holding({{"/srv/copy", Hold::kForWriting}}), &plan);
  EXPECT_THAT(Paths(plan), ElementsAre("/srv/copy", "/srv/other"));
}

TEST(FinishedSides, AfterAShallowPivotWhatTheCopyStandsOnStays) {
  ctl::HostPlan plan = Copying();
  LeaveOutFinishedSides(
      Holding({{"/srv/copy", Hold::kForWriting}, {"/srv/base", Hold::kForReading}}), &plan);
  EXPECT_THAT(Paths(plan), ElementsAre("/srv/base", "/srv/copy", "/srv/other"));
}

TEST(FinishedSides, AfterAnAbortTheTargetGoes) {
  ctl::HostPlan plan = Copying();
  LeaveOutFinishedSides(Holding({{"/srv/top", Hold::kForWriting}}), &plan);
  EXPECT_THAT(Paths(plan), ElementsAre("/srv/top", "/srv/base", "/srv/other"));
}

TEST(FinishedSides, BeforeQemuRunsNothingIsTaken) {
  ctl::HostPlan plan = Copying();
  LeaveOutFinishedSides(Holding({}), &plan);
  EXPECT_EQ(Paths(plan).size(), 4U);
}

}  // namespace
}  // namespace openhook::aa_helper
