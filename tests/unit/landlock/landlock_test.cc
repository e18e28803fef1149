// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every claim about the domain is proved by a child that enters it and tries. The child answers
// with its exit status: 0, or the errno of what it tried.

#include "policy/profile/landlock.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "policy/profile/landlock_abi.h"

namespace openhook::landlock {
namespace {

using ::testing::HasSubstr;

constexpr int kCannotEnter = 255;

int ErrnoOf(bool worked) { return worked ? 0 : errno; }

int TryOpen(const std::string& path, int flags) {
  return ErrnoOf(UniqueFd(::open(path.c_str(), flags | O_CLOEXEC, 0600)).IsValid());
}

// A directory of its own, holding "granted/" and "outside/file".
class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_GT(LandlockAbi(), 0) << "these tests need a kernel with Landlock";
    char name[] = "/tmp/openhook-landlock-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    ASSERT_EQ(::mkdir(granted().c_str(), 0700), 0);
    ASSERT_EQ(::mkdir((root_ + "/outside").c_str(), 0700), 0);
    ASSERT_EQ(TryOpen(outside(), O_CREAT | O_WRONLY), 0);
    ASSERT_EQ(TryOpen(granted() + "/file", O_CREAT | O_WRONLY), 0);
  }

  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] std::string granted() const { return root_ + "/granted"; }
  [[nodiscard]] std::string outside() const { return root_ + "/outside/file"; }

  // Exit status of `attempt` in a child under the system rules and `use` of granted().
  [[nodiscard]] int InDomain(PathUse use, const std::function<int()>& attempt) const {
    const pid_t child = ::fork();
    if (child == 0) {
      auto rules = Ruleset::DenyAll();
      const bool entered = rules && rules->AllowSystemPaths() && rules->Allow(granted(), use) &&
                           ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && rules->RestrictSelf();
      ::_exit(entered ? attempt() : kCannotEnter);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string root_;
};

TEST_F(LandlockTest, WhatIsNotAllowedCannotBeOpened) {
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return TryOpen(outside(), O_RDONLY); }), EACCES);
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return TryOpen(outside(), O_RDWR); }), EACCES);
  EXPECT_EQ(InDomain(PathUse::kRead, [] { return TryOpen("/etc/shadow", O_RDONLY); }), EACCES);
}

TEST_F(LandlockTest, TheSystemIsReadableAndNotWritable) {
  EXPECT_EQ(InDomain(PathUse::kRead, [] { return TryOpen("/usr/bin/env", O_RDONLY); }), 0);
  EXPECT_EQ(InDomain(PathUse::kRead, [] { return TryOpen("/proc/self/status", O_RDONLY); }), 0);
  EXPECT_EQ(InDomain(PathUse::kRead, [] { return TryOpen("/usr/x", O_CREAT | O_WRONLY); }), EACCES);
}

TEST_F(LandlockTest, DevNullIsReadWriteSinceQemuLocksImagesOnlyThen) {
  EXPECT_EQ(InDomain(PathUse::kRead, [] { return TryOpen("/dev/null", O_RDWR); }), 0);
  EXPECT_EQ(InDomain(PathUse::kRead, [] { return TryOpen("/dev/null", O_WRONLY | O_TRUNC); }), 0);
}

TEST_F(LandlockTest, ProgramsOfTheSystemCanBeExecuted) {
  const auto run = [](const char* path) {
    ::execl(path, path, static_cast<char*>(nullptr));
    return errno;
  };
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return run("/usr/bin/true"); }), 0);
  const std::string copy = granted() + "/true";
  ASSERT_EQ(std::system(("cp /usr/bin/true " + copy).c_str()), 0);
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return run(copy.c_str()); }), EACCES);
  EXPECT_EQ(InDomain(PathUse::kPrivateDirectory, [&] { return run(copy.c_str()); }), EACCES);
  EXPECT_EQ(InDomain(PathUse::kExecute, [&] { return run(copy.c_str()); }), 0);
}

TEST_F(LandlockTest, AReadableDirectoryTakesNoWriting) {
  const std::string file = granted() + "/file";
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return TryOpen(file, O_RDONLY); }), 0);
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return TryOpen(file, O_RDWR); }), EACCES);
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return ErrnoOf(::unlink(file.c_str()) == 0); }), EACCES);
}

TEST_F(LandlockTest, APrivateDirectoryTakesFilesSocketsAndDirectories) {
  const auto in_private = [&](const std::function<bool()>& attempt) {
    return InDomain(PathUse::kPrivateDirectory, [&] { return ErrnoOf(attempt()); });
  };
  const std::string name = granted() + "/new";
  EXPECT_EQ(in_private([&] {
              return TryOpen(name, O_CREAT | O_RDWR | O_EXCL) == 0 &&
                     ::truncate(name.c_str(), 1) == 0 && ::unlink(name.c_str()) == 0;
            }),
            0);
  EXPECT_EQ(in_private([&] { return ::mkdir(name.c_str(), 0700) == 0; }), 0);
  EXPECT_EQ(in_private([&] { return ::rmdir(name.c_str()) == 0; }), 0);
  EXPECT_EQ(in_private([&] {
              sockaddr_un address{};
              address.sun_family = AF_UNIX;
              name.copy(address.sun_path, sizeof(address.sun_path) - 1);
              const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
              return ::bind(fd.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
            }),
            0);
}

TEST_F(LandlockTest, APrivateDirectoryTakesNoSymlinksAndNoDevices) {
  const std::string name = granted() + "/trap";
  EXPECT_EQ(InDomain(PathUse::kPrivateDirectory,
                     [&] { return ErrnoOf(::symlink("/etc/shadow", name.c_str()) == 0); }),
            EACCES);
  EXPECT_NE(InDomain(PathUse::kPrivateDirectory,
                     [&] { return ErrnoOf(::mknod(name.c_str(), S_IFCHR | 0600, 0x103) == 0); }),
            0);
}

TEST_F(LandlockTest, AReceivedDescriptorWorksAndCannotBeReopened) {
  const UniqueFd fd(::open(outside().c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(fd.IsValid());
  const std::string again = "/proc/self/fd/" + std::to_string(fd.Get());
  char byte = 0;
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return ErrnoOf(::read(fd.Get(), &byte, 1) == 0); }), 0);
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return TryOpen(again, O_RDONLY); }), EACCES);
  EXPECT_EQ(InDomain(PathUse::kRead, [&] { return TryOpen(again, O_RDWR); }), EACCES);
}

TEST_F(LandlockTest, TruncationByPathIsStoppedExactlyWhereTheFactsSaySo) {
  const int result =
      InDomain(PathUse::kRead, [&] { return ErrnoOf(::truncate(outside().c_str(), 0) == 0); });
  EXPECT_EQ(result, LandlockAbi() >= abi::kAbiWithTruncate ? EACCES : 0);
}

TEST_F(LandlockTest, SignalsLeaveTheDomainExactlyWhereTheFactsSaySo) {
  const pid_t parent = ::getpid();
  const int result = InDomain(PathUse::kRead, [&] { return ErrnoOf(::kill(parent, 0) == 0); });
  EXPECT_EQ(result, LandlockAbi() >= abi::kAbiWithScopes ? EPERM : 0);
}

TEST_F(LandlockTest, ChangingTheModeByPathIsNotStopped) {
  EXPECT_EQ(
      InDomain(PathUse::kRead, [&] { return ErrnoOf(::chmod(outside().c_str(), 0640) == 0); }), 0);
}

TEST_F(LandlockTest, AMissingPathIsAnErrorThatNamesIt) {
  auto rules = Ruleset::DenyAll();
  ASSERT_TRUE(rules);
  const auto missing = rules->Allow(root_ + "/missing", PathUse::kRead);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().Message(), HasSubstr("missing"));
}

TEST_F(LandlockTest, AFileIsNoPrivateDirectory) {
  auto rules = Ruleset::DenyAll();
  ASSERT_TRUE(rules);
  const auto refused = rules->Allow(outside(), PathUse::kPrivateDirectory);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

LandlockFact::Effect EffectOn(int abi, const std::string& word) {
  const auto facts = DescribeLandlock(abi);
  const auto fact = std::find_if(facts.begin(), facts.end(), [&](const LandlockFact& candidate) {
    return candidate.sentence.find(word) != std::string::npos;
  });
  EXPECT_NE(fact, facts.end()) << word << " on ABI " << abi;
  return fact == facts.end() ? LandlockFact::Effect::kNotStopped : fact->effect;
}

TEST(LandlockFacts, FollowTheAbi) {
  struct Row {
    const char* word;
    int first_abi;  // 1000: never
  };
  for (const Row& row : {Row{"opening", 1}, Row{"tracing", 1}, Row{"truncating", 3},
                         Row{"ioctl", 5}, Row{"signals", 6}, Row{"chmod", 1000},
                         Row{"stat that", 1000}, Row{"Unix sockets by path", 1000}}) {
    for (int abi = 1; abi <= 10; ++abi) {
      const auto expected =
          abi >= row.first_abi ? LandlockFact::Effect::kStopped : LandlockFact::Effect::kNotStopped;
      EXPECT_EQ(EffectOn(abi, row.word), expected) << row.word << " on ABI " << abi;
    }
  }
}

TEST(LandlockFacts, AKernelWithoutLandlockStopsNothing) {
  const auto facts = DescribeLandlock(0);
  ASSERT_EQ(facts.size(), 1U);
  EXPECT_EQ(facts[0].effect, LandlockFact::Effect::kNotStopped);
  EXPECT_THAT(facts[0].sentence, HasSubstr("no Landlock"));
}

TEST(LandlockAbi, EveryAbiHandlesWhatTheKernelDocuments) {
  EXPECT_EQ(abi::HandledRights(1), 0x1fffU);
  EXPECT_EQ(abi::HandledRights(2), 0x3fffU);
  EXPECT_EQ(abi::HandledRights(3), 0x7fffU);
  EXPECT_EQ(abi::HandledRights(4), 0x7fffU);
  EXPECT_EQ(abi::HandledRights(5), 0xffffU);
  EXPECT_EQ(abi::Scopes(5), 0U);
  EXPECT_EQ(abi::Scopes(6), 3U);
}

}  // namespace
}  // namespace openhook::landlock
