// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The two files of this room: of an adopted domain, and of the lock driver.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/libvirt/domain_config.h"
#include "broker/libvirt/driver_config.h"

namespace openhook::libvirt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DomainConfig, BecomesOptionsOfTheBroker) {
  const auto config = ParseDomainConfig(
      "# a comment\n\nprofile = apparmor\n uid = 64055 \npool=\"/srv/my images\"\nrun-dir = "
      "/run/x");
  ASSERT_TRUE(config) << config.error().Message();
  EXPECT_THAT(config->arguments, ElementsAre("--profile=apparmor", "--vm-user=64055",
                                             "--pool=/srv/my images", "--run-dir=/run/x"));
  EXPECT_EQ(config->run_dir, "/run/x");
  EXPECT_EQ(config->state_dir, "/var/lib/openhook");
}

TEST(DomainConfig, RefusesALineThatIsNoSetting) {
  for (const char* text : {"profile", "= x", "--vm = x", "profile =", "a b = c"}) {
    EXPECT_FALSE(ParseDomainConfig(text)) << text;
  }
  EXPECT_THAT(ParseDomainConfig("profile = none\nnonsense").error().Message(), HasSubstr("line 2"));
}

TEST(DomainConfig, TheMachineIsNotNamedInIt) {
  EXPECT_FALSE(ParseDomainConfig("vm = 11111111-2222-3333-4444-555555555555"));
  EXPECT_FALSE(ParseDomainConfig("config = /elsewhere"));
}

TEST(DomainConfig, IsNamedAfterTheMachineInSmallLetters) {
  EXPECT_EQ(DomainConfigPath("/d", "ABC"), "/d/abc.conf");
}

TEST(DomainConfig, WithoutAFileTheDomainIsNotAdopted) {
  const auto config = ReadDomainConfig("/nonexistent", "11111111-2222-3333-4444-555555555555");
  ASSERT_TRUE(config);
  EXPECT_FALSE(*config);
}

TEST(DriverConfig, HasWhatTheFileSays) {
  const auto config =
      ParseDriverConfig("run_dir = \"/run/x\"\ndelegate = \"lockd\"\ntimeout_ms = 100\n");
  ASSERT_TRUE(config) << config.error().Message();
  EXPECT_EQ(config->run_dir, "/run/x");
  EXPECT_EQ(config->delegate, "lockd");
  EXPECT_EQ(config->timeout_ms, 100);
}

TEST(DriverConfig, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"delegate = ../x", "delegate = openhook", "timeout_ms = 0",
                           "timeout_ms = 10x", "timeout_ms = 40000", "run_dir = x", "other = x"}) {
    EXPECT_FALSE(ParseDriverConfig(text)) << text;
  }
}

TEST(DriverConfig, AnAbsentFileHasTheDefaults) {
  const auto config = ReadDriverConfig("/nonexistent/qemu-openhook.conf");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->run_dir, "/run/openhook");
  EXPECT_TRUE(config->delegate.empty());
}

}  // namespace
}  // namespace openhook::libvirt
