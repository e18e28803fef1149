// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/holders.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "broker/fs/identity.h"
#include "broker/fs/process.h"
#include "broker/fs/resolve.h"
#include "tests/support/idler.h"
#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

using testing::Idler;

constexpr uid_t kSomebody = 54321;

FileIdentity IdentityAt(const std::string& path) { return ResolveFollowing(path)->identity; }

Held HowSomebodyHolds(const FileIdentity& file, const std::set<pid_t>& pids = {}) {
  return HeldFiles::Scan(kSomebody, pids)->How(file);
}

class Holders : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "needs root: it looks at processes of another user";
    ::chmod(tree_.Path("").c_str(), 0755);
    path_ = tree_.Path("disk");
    const int fd = ::open(path_.c_str(), O_CREAT | O_RDWR, 0666);
    ::fchmod(fd, 0666);
    ::close(fd);
    file_ = IdentityAt(path_);
  }

  std::function<bool()> OpenAs(uid_t user, int flags) {
    return [this, user, flags] {
      const int fd = ::open(path_.c_str(), flags);
      return fd >= 0 && ::setresuid(user, user, user) == 0;
    };
  }

  testing::TempTree tree_;
  std::string path_;
  FileIdentity file_;
};

TEST_F(Holders, TellHowAFileIsHeldAndWhenItIsLetGo) {
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kNot);
  Idler reader(OpenAs(kSomebody, O_RDONLY));
  ASSERT_TRUE(reader.set_up());
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kForReading);
  {
    const Idler writer(OpenAs(kSomebody, O_WRONLY));
    ASSERT_TRUE(writer.set_up());
    EXPECT_EQ(HowSomebodyHolds(file_), Held::kForWriting);
  }
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kForReading);
  reader.Kill();
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kNot);
}

TEST_F(Holders, AreFoundByUserOrByPid) {
  const Idler other(OpenAs(kSomebody + 1, O_RDWR));
  ASSERT_TRUE(other.set_up());
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kNot);
  EXPECT_EQ(HowSomebodyHolds(file_, {other.pid()}), Held::kForWriting);
}

TEST_F(Holders, AreFoundThoughTheyAreNotDumpable) {
  const Idler hidden(
      [this] { return OpenAs(kSomebody, O_RDWR)() && ::prctl(PR_SET_DUMPABLE, 0) == 0; });
  ASSERT_TRUE(hidden.set_up());
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kForWriting);
}

TEST_F(Holders, AreNamed) {
  const Idler writer(
      [this] { return ::prctl(PR_SET_NAME, "qemu") == 0 && OpenAs(kSomebody, O_RDWR)(); });
  ASSERT_TRUE(writer.set_up());
  const auto holders = HeldFiles::Scan(kSomebody, {})->HoldersOf(file_);
  ASSERT_EQ(holders.size(), 1U);
  EXPECT_EQ(holders.front().pid, writer.pid());
  EXPECT_EQ(holders.front().program, "qemu");
  EXPECT_EQ(holders.front().how, Held::kForWriting);
}

TEST_F(Holders, AreLookedForByTheFileNotByItsName) {
  const Idler writer(OpenAs(kSomebody, O_RDWR));
  ASSERT_TRUE(writer.set_up());
  ASSERT_EQ(::link(path_.c_str(), tree_.Path("second").c_str()), 0);
  EXPECT_EQ(HowSomebodyHolds(IdentityAt(tree_.Path("second"))), Held::kForWriting);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  EXPECT_EQ(HowSomebodyHolds(file_), Held::kForWriting) << "deleted, and open";
}

TEST_F(Holders, DoNotIncludeOurselves) {
  const int fd = ::open(path_.c_str(), O_RDWR);
  EXPECT_EQ(HeldFiles::Scan(::getuid(), {::getpid()})->How(file_), Held::kNot);
  ::close(fd);
}

TEST_F(Holders, AProcessThatMayNotBeLookedAtCountsAsHoldingEverything) {
  const Idler hidden([] { return ::prctl(PR_SET_DUMPABLE, 0) == 0; });
  ASSERT_TRUE(hidden.set_up());
  const Idler looker([this, &hidden] {
    return ::setresuid(kSomebody, kSomebody, kSomebody) == 0 &&
           HeldFiles::Scan(kSomebody, {hidden.pid()})->How(file_) == Held::kForWriting;
  });
  EXPECT_TRUE(looker.set_up());
}

TEST(Process, IsToldByItsStartTime) {
  const auto own = StartTicksOf(::getpid());
  ASSERT_TRUE(own);
  EXPECT_EQ(own, StartTicksOf(::getpid()));
  Idler later([] { return ::prctl(PR_SET_NAME, "a) b (c") == 0; });
  ASSERT_TRUE(later.set_up());
  const auto ticks = StartTicksOf(later.pid());
  ASSERT_TRUE(ticks) << "brackets and blanks in its name";
  EXPECT_GE(*ticks, *own);
  EXPECT_EQ(ProgramOf(later.pid()), "a) b (c");
  const pid_t pid = later.pid();
  later.Kill();
  EXPECT_FALSE(StartTicksOf(pid));
}

}  // namespace
}  // namespace openhook::fs
