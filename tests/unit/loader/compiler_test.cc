// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The real apparmor_parser, as the loader runs it.

#include "policy/loader/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace openhook::loader {
namespace {

using ::testing::HasSubstr;

constexpr char kBase[] = "/etc/apparmor.d";

TEST(Compiler, MakesWhatTheKernelTakesOfAProfile) {
  const auto compiled = Compile(
      "#include <tunables/global>\nprofile x {\n  #include <abstractions/base>\n}\n", kBase);
  ASSERT_TRUE(compiled) << compiled.error().Message();
  // The kernel's format begins with the name "version" (its policy_unpack.c).
  EXPECT_EQ(compiled->substr(0, 11), std::string("\x04\x08\0version", 11));
}

TEST(Compiler, PassesTheParsersWordsOnInOneLine) {
  const auto compiled = Compile("profile x {\n  /srv/\" rwk,\n}\n", kBase);
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(compiled.error().context, HasSubstr("apparmor_parser does not take the profile"));
  EXPECT_EQ(compiled.error().context.find('\n'), std::string::npos);
}

TEST(Compiler, AMissingAbstractionIsAnErrorAndNotHalfAProfile) {
  const auto compiled = Compile("profile x {\n  #include <abstractions/not-there>\n}\n", kBase);
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().context, HasSubstr("not-there"));
}

// As root the parser has a user of its own: what only root may read, it cannot include.
TEST(Compiler, TheParserCannotReadWhatOnlyRootMay) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can give the parser another user";
  }
  const std::string secret = ::testing::TempDir() + "openhook-secret";
  std::ofstream(secret) << "/srv/x r,\n";
  std::filesystem::permissions(secret, std::filesystem::perms::owner_read);
  const auto compiled = Compile("profile x {\n  #include \"" + secret + "\"\n}\n", kBase);
  std::filesystem::remove(secret);
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().context, HasSubstr("openhook-secret"));
}

}  // namespace
}  // namespace openhook::loader
