// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/image_owners.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/idler.h"
#include "tests/support/temp_tree.h"

namespace openhook::adopt {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t kVmUser = 64055;

class ImageOwners : public ::testing::Test {
 protected:
  [[nodiscard]] std::string Owned(const std::string& name, mode_t mode) const {
    const std::string path = tree_.File(name);
    EXPECT_EQ(::chown(path.c_str(), kVmUser, 107), 0) << "needs root";
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  static std::string StateOf(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0);
    return std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid) + " " +
           std::to_string(info.st_mode & 07777U);
  }
  testing::TempTree tree_;
};

TEST_F(ImageOwners, AreChangedAndPutBack) {
  const std::string path = Owned("a.img", 0640);
  const auto owned = OwnedBy(kVmUser, {path, tree_.File("roots.img"), tree_.root() + "/absent"});
  ASSERT_EQ(owned.size(), 1U);
  ASSERT_TRUE(GiveToRoot(owned[0]));
  EXPECT_EQ(StateOf(path), "0:0 " + std::to_string(0600));
  EXPECT_TRUE(GiveToRoot(owned[0])) << "a second time";
  EXPECT_THAT(OwnedBy(kVmUser, {path}), IsEmpty());
  ASSERT_TRUE(GiveBack(owned[0]));
  EXPECT_EQ(StateOf(path), std::to_string(kVmUser) + ":107 " + std::to_string(0640));
}

TEST_F(ImageOwners, OfAnotherFileUnderTheNameStay) {
  const std::string path = Owned("a.img", 0640);
  const auto owned = OwnedBy(kVmUser, {path});
  ASSERT_EQ(::rename(path.c_str(), (path + ".old").c_str()), 0);
  tree_.File("a.img");
  const auto given = GiveToRoot(owned[0]);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(GiveBack(owned[0])) << "it is not ours to give";
  EXPECT_TRUE(StateOf(path).starts_with("0:0 "));
}

TEST_F(ImageOwners, ThatSomebodyChangedMeanwhileStay) {
  const std::string path = Owned("a.img", 0640);
  const auto owned = OwnedBy(kVmUser, {path});
  ASSERT_TRUE(GiveToRoot(owned[0]));
  ASSERT_EQ(::chown(path.c_str(), 12, 12), 0);
  EXPECT_TRUE(GiveBack(owned[0]));
  EXPECT_TRUE(StateOf(path).starts_with("12:12 "));
}

TEST_F(ImageOwners, AreNeverChangedThroughASymlink) {
  const std::string path = Owned("a.img", 0640);
  const auto owned = OwnedBy(kVmUser, {path});
  ASSERT_EQ(::rename(path.c_str(), (path + ".old").c_str()), 0);
  ASSERT_EQ(::symlink((path + ".old").c_str(), path.c_str()), 0);
  EXPECT_FALSE(GiveToRoot(owned[0]));
  EXPECT_TRUE(StateOf(path + ".old").starts_with("64055:"));
}

// It got in between the look at processes and the change of the owner.
TEST_F(ImageOwners, ThatAreOpenWhenTheyAreRootsAreGivenBack) {
  const std::string path = Owned("a.img", 0640);
  const std::string other = Owned("b.img", 0600);
  const auto owned = OwnedBy(kVmUser, {path, other});
  const testing::Idler holder([&] {
    return ::open(other.c_str(), O_RDWR | O_CLOEXEC) >= 0 &&
           ::setresuid(kVmUser, kVmUser, kVmUser) == 0;
  });
  ASSERT_TRUE(holder.set_up()) << "needs root";
  const auto given = GiveAllToRoot(owned);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, ErrorCode::kConflict);
  EXPECT_THAT(given.error().context, HasSubstr("b.img' is open in the process"));
  EXPECT_EQ(StateOf(path), std::to_string(kVmUser) + ":107 " + std::to_string(0640));
  EXPECT_EQ(StateOf(other), std::to_string(kVmUser) + ":107 " + std::to_string(0600));
}

TEST_F(ImageOwners, ThatCannotAllBeRootsStayAsTheyWere) {
  const std::string path = Owned("a.img", 0640);
  const std::string other = Owned("b.img", 0600);
  const auto owned = OwnedBy(kVmUser, {path, other});
  ASSERT_EQ(::unlink(other.c_str()), 0);
  EXPECT_FALSE(GiveAllToRoot(owned));
  EXPECT_EQ(StateOf(path), std::to_string(kVmUser) + ":107 " + std::to_string(0640));
}

}  // namespace
}  // namespace openhook::adopt
