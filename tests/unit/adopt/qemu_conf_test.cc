// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/qemu_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::adopt {
namespace {

constexpr std::string_view kConf =
    "# a comment\n#lock_manager = \"lockd\"\nuser = \"qemu # x\"  # why\ngroup = 'kvm'\n"
    "dynamic_ownership = 0 # no\n  namespaces = [ ]\nuser = \"last\"\n";

TEST(QemuConf, ValuesAreThoseOfLinesThatAreNoComments) {
  EXPECT_EQ(QemuConfValue(kConf, "lock_manager"), std::nullopt);
  EXPECT_EQ(QemuConfValue(kConf, "user"), "last");
  EXPECT_EQ(QemuConfValue(kConf, "group"), "kvm");
  EXPECT_EQ(QemuConfValue(kConf, "dynamic_ownership"), "0");
  EXPECT_EQ(QemuConfValue(kConf, "namespaces"), "[ ]");
  EXPECT_EQ(QemuConfValue("user = \"a # b\"\n", "user"), "a # b");
}

TEST(QemuConf, OurLineComesAndGoes) {
  const std::string with = WithOurLine(kConf, "lock_manager", "openhook");
  EXPECT_EQ(QemuConfValue(with, "lock_manager"), "openhook");
  EXPECT_EQ(WithOurLine(with, "lock_manager", "openhook"), with) << "a second time";
  EXPECT_EQ(WithoutOurLine(with), kConf);
  EXPECT_EQ(WithoutOurLine(kConf), kConf);
}

TEST(QemuConf, WhatWasThereBeforeComesBack) {
  constexpr std::string_view kBefore = "lock_manager = \"lockd\"\nuser = \"x\"\n";
  const std::string with = WithOurLine(kBefore, "lock_manager", "openhook");
  EXPECT_EQ(QemuConfValue(with, "lock_manager"), "openhook");
  EXPECT_EQ(WithoutOurLine(with), kBefore);
}

}  // namespace
}  // namespace openhook::adopt
