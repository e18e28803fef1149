// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/target_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace openhook::launcher {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TargetUser, ANameBringsItsGroups) {
  const auto root = ResolveUser("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0U);
  EXPECT_EQ(root->gid, 0U);
  EXPECT_THAT(root->supplementary, Contains(0U));
}

TEST(TargetUser, ANumberMayHaveAnAccount) {
  EXPECT_EQ(ResolveUser("0")->gid, 0U);
  EXPECT_EQ(ResolveUser("0:4711")->gid, 4711U);
  EXPECT_EQ(ResolveUser("root:4711")->gid, 4711U);
}

TEST(TargetUser, ANumberWithoutAccountNeedsAGroup) {
  const auto user = ResolveUser("3999999999:3999999998");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 3999999999U);
  EXPECT_EQ(user->gid, 3999999998U);
  EXPECT_THAT(user->supplementary, IsEmpty());
  const auto without = ResolveUser("3999999999");
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().Message(), HasSubstr("3999999999:GROUP"));
}

TEST(TargetUser, NobodyElseIsResolved) {
  for (const char* text : {"", "no-such-user", "-1", "4294967295", "4294967295:0", "0x0", "1 ",
                           "root:", "root:no-such-group", "99999999999"}) {
    EXPECT_FALSE(ResolveUser(text)) << text;
  }
}

// Exit status of a child that becomes `user` and then tries `attempt`.
int AsUser(const TargetUser& user, int (*attempt)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(BecomeUser(user) ? attempt() : 99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

TEST(TargetUser, BecomingOneselfNeedsNoPrivilege) {
  const TargetUser self{::getuid(), ::getgid(), {::getgid()}};
  EXPECT_EQ(AsUser(self, [] { return 0; }), 0);
}

TEST(TargetUser, TheChangeIsFinalOrRefused) {
  const TargetUser other{65534, 65534, {}};
  const int status = AsUser(other, [] {
    const bool other_now =
        ::getuid() == 65534 && ::getgid() == 65534 && ::getgroups(0, nullptr) == 0;
    const bool no_way_back = ::setuid(0) != 0 && ::setgid(0) != 0 && ::seteuid(0) != 0;
    return other_now && no_way_back ? 0 : 1;
  });
  EXPECT_EQ(status, ::geteuid() == 0 ? 0 : 99);
}

}  // namespace
}  // namespace openhook::launcher
