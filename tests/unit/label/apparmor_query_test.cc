// SPDX-License-Identifier: LGPL-2.1-or-later

#include "policy/label/apparmor_query.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace openhook::label {
namespace {

using namespace std::string_literals;

TEST(AppArmorQuery, ThePathFollowsTheClassAndKeepsItsLastByte) {
  EXPECT_EQ(AppArmorFileQuestion("libvirt-1", "/data/a b").value(),
            "label\0libvirt-1\0\x02/data/a b"s);
}

TEST(AppArmorQuery, ANameThatWouldEndEarlyIsNotAsked) {
  const struct {
    std::string profile;
    std::string path;
    const char* why;
  } rows[] = {
      {"", "/a", "no profile"},
      {"unconfined\0x"s, "/a", "another profile before the NUL"},
      {"p", "", "no path"},
      {"p", "a", "a relative path"},
      {"p", "/etc/\0/a"s, "another path before the NUL"},
  };
  for (const auto& row : rows) {
    const auto question = AppArmorFileQuestion(row.profile, row.path);
    ASSERT_FALSE(question) << row.why;
    EXPECT_EQ(question.error().code, ErrorCode::kInvalidArgument) << row.why;
    EXPECT_FALSE(AllowedByAppArmor(row.profile, row.path, {FileUse::kRead})) << row.why;
  }
}

TEST(FileUses, AreNamedInOneOrder) {
  EXPECT_EQ((FileUses{FileUse::kLock, FileUse::kRead}).Text(), "read, lock");
  EXPECT_EQ(FileUses().Text(), "");
}

TEST(FileUses, WhatIsMissingIsWhatWasAskedWithoutWhatIsAllowed) {
  const FileUses asked{FileUse::kRead, FileUse::kWrite};
  EXPECT_EQ(asked.Without({FileUse::kRead, FileUse::kLock}), FileUses{FileUse::kWrite});
  EXPECT_TRUE(asked.Without(asked).Empty());
}

}  // namespace
}  // namespace openhook::label
