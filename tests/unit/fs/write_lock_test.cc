// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/fs/write_lock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/support/temp_tree.h"

namespace openhook::fs {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class WriteLockTest : public ::testing::Test {
 protected:
  Result<WriteLock> Take(LockMode mode, const LockNote& note = {"vm-1", "/img/a"}) {
    return WriteLock::Take(path_, mode, note);
  }
  std::string RefusalOf(LockMode mode) {
    const auto taken = Take(mode);
    EXPECT_FALSE(taken);
    if (taken) {
      return {};
    }
    EXPECT_EQ(taken.error().code, ErrorCode::kConflict);
    return taken.error().Message();
  }
  [[nodiscard]] bool FileIsThere() const { return ::access(path_.c_str(), F_OK) == 0; }

  testing::TempTree tree_;
  std::string path_ = tree_.Path("lock");
};

TEST_F(WriteLockTest, AnExclusiveOneIsAloneAndLeavesNothingBehind) {
  {
    const auto held = Take(LockMode::kExclusive);
    ASSERT_TRUE(held);
    for (const LockMode mode : {LockMode::kExclusive, LockMode::kShared}) {
      EXPECT_THAT(RefusalOf(mode),
                  HasSubstr("the VM vm-1 may write to it, under the name '/img/a'"));
    }
    struct stat info{};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
  }
  EXPECT_FALSE(FileIsThere());
  EXPECT_TRUE(Take(LockMode::kExclusive));
}

TEST_F(WriteLockTest, SharedOnesCoexistAndAreNamedAsLongAsTheyAreHeld) {
  auto first = Take(LockMode::kShared, {"vm-1", "/img/a"});
  auto second = Take(LockMode::kShared, {"vm-2", "/img/b"});
  ASSERT_TRUE(first && second);
  EXPECT_THAT(RefusalOf(LockMode::kExclusive), HasSubstr("the VM vm-1 may write to it, under the "
                                                         "name '/img/a' (and so may 1 more)"));
  {
    const WriteLock gone = std::move(*first);
  }
  const std::string refusal = RefusalOf(LockMode::kExclusive);
  EXPECT_THAT(refusal, HasSubstr("the VM vm-2 may write to it, under the name '/img/b'"));
  EXPECT_THAT(refusal, Not(HasSubstr("vm-1")));
}

TEST_F(WriteLockTest, ASharedFileThatWasLeftBehindIsTakenOverAndRemoved) {
  {
    ASSERT_TRUE(Take(LockMode::kShared));
  }
  EXPECT_TRUE(FileIsThere());
  {
    ASSERT_TRUE(Take(LockMode::kExclusive));
  }
  EXPECT_FALSE(FileIsThere());
}

TEST_F(WriteLockTest, ChangesToExclusiveOnlyWhenItIsAlone) {
  auto first = Take(LockMode::kShared);
  auto second = Take(LockMode::kShared, {"vm-2", "/img/b"});
  ASSERT_TRUE(first && second);
  const auto changed = first->ChangeTo(LockMode::kExclusive);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kConflict);
  EXPECT_THAT(changed.error().Message(), HasSubstr("vm-2"));
  EXPECT_EQ(first->mode(), LockMode::kShared);
  {
    const WriteLock gone = std::move(*second);
  }
  EXPECT_TRUE(first->ChangeTo(LockMode::kExclusive));
  EXPECT_FALSE(Take(LockMode::kShared));
  EXPECT_TRUE(first->ChangeTo(LockMode::kShared));
  EXPECT_TRUE(Take(LockMode::kShared));
}

// Root wrote the directory, so this is damage and not an attack; a terminal must survive it anyway.
TEST_F(WriteLockTest, WhateverALockFileSaysIsShownEscapedAndDecidesNothing) {
  const std::string hostile = "vm\n\x1b[31m" + std::string(100'000, 'x') + " /a\nb";
  tree_.File("lock", hostile);
  ASSERT_TRUE(Take(LockMode::kExclusive)) << "content is no lock";
  tree_.File("lock", hostile);
  const auto held = Take(LockMode::kShared);
  ASSERT_TRUE(held);
  for (const std::string& content : {hostile, std::string(), std::string(600, ' '),
                                     std::string("no-space"), std::string(5000, '\0')}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
    const std::string refusal = RefusalOf(LockMode::kExclusive);
    EXPECT_THAT(refusal, HasSubstr("may write to it"));
    EXPECT_LT(refusal.size(), 3000U);
    for (const char c : refusal) {
      EXPECT_TRUE(c >= ' ' && c <= '~');
    }
  }
}

TEST_F(WriteLockTest, ALongOrStrangeNameIsCutAndEscaped) {
  const auto held = Take(LockMode::kExclusive, {"vm-1", "/" + std::string(4000, 'p') + "\n"});
  ASSERT_TRUE(held);
  EXPECT_LT(RefusalOf(LockMode::kExclusive).size(), 700U);
  const auto other =
      WriteLock::Take(tree_.Path("other"), LockMode::kExclusive, {"vm-1", "/img/new\nline"});
  const auto refused = WriteLock::Take(tree_.Path("other"), LockMode::kExclusive, {"vm-2", "/x"});
  EXPECT_THAT(refused.error().Message(), HasSubstr("'/img/new\\x0aline'"));
}

TEST_F(WriteLockTest, ASymlinkOrADirectoryInItsPlaceIsAnError) {
  tree_.Symlink("lock", tree_.File("target"));
  EXPECT_FALSE(Take(LockMode::kExclusive));
  EXPECT_FALSE(WriteLock::Take(tree_.Directory("folder"), LockMode::kExclusive, {"vm-1", "/a"}));
  EXPECT_FALSE(WriteLock::Take(tree_.Path("no/lock"), LockMode::kExclusive, {"vm-1", "/a"}));
}

TEST_F(WriteLockTest, MoreSharersThanCanBeNamedStillHoldIt) {
  std::vector<WriteLock> held;
  for (int i = 0; i < 70; ++i) {
    auto one = Take(LockMode::kShared);
    ASSERT_TRUE(one);
    held.push_back(std::move(*one));
  }
  EXPECT_THAT(RefusalOf(LockMode::kExclusive), HasSubstr("(and so may 63 more)"));
}

// A child that was forked off and not yet executed has the description too.
TEST_F(WriteLockTest, IsLetGoEvenWhileAForkedChildHoldsTheDescriptor) {
  auto held = Take(LockMode::kShared);
  ASSERT_TRUE(held);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  {
    const WriteLock gone = std::move(*held);
  }
  const bool free = Take(LockMode::kExclusive).has_value();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(free);
}

TEST_F(WriteLockTest, EndsWithAKilledProcess) {
  const auto ready = static_cast<std::atomic<bool>*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = Take(LockMode::kExclusive);
    *ready = true;
    ::pause();
    ::_exit(held ? 0 : 1);
  }
  while (!*ready) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(Take(LockMode::kExclusive));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileIsThere());
  EXPECT_TRUE(Take(LockMode::kExclusive));
  ::munmap(ready, 4096);
}

// Every release unlinks the file under those who have just opened it. Were a lock on a file without
// a name taken for one, two would hold it.
TEST_F(WriteLockTest, NeverHasTwoHoldersWhileItIsRemovedAndMadeAgain) {
  struct Shared {
    std::atomic<int> holders;
    std::atomic<int> most;
    std::atomic<long> taken;
  };
  const auto shared = static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  constexpr int kOften = 100;
  const auto contend = [&] {
    const auto begin = std::chrono::steady_clock::now();
    const auto has_passed = [&](auto time) {
      return std::chrono::steady_clock::now() - begin > time;
    };
    // A busy machine takes longer until the race was run.
    while (!has_passed(1500ms) || (shared->taken <= kOften && !has_passed(60s))) {
      const auto held = Take(LockMode::kExclusive);
      if (held) {
        const int now = ++shared->holders;
        int most = shared->most;
        while (now > most && !shared->most.compare_exchange_weak(most, now)) {
        }
        ++shared->taken;
        std::this_thread::yield();
        --shared->holders;
      }
    }
  };
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) {
      std::thread second(contend);
      contend();
      second.join();
      ::_exit(0);
    }
  }
  for (const pid_t child : children) {
    ::waitpid(child, nullptr, 0);
  }
  EXPECT_EQ(shared->most, 1);
  EXPECT_GT(shared->taken, kOften);
  ::munmap(shared, sizeof(Shared));
}

}  // namespace
}  // namespace openhook::fs
