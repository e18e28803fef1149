// SPDX-License-Identifier: LGPL-2.1-or-later
//
// openhook-qemu as a whole: starts the probe of the preload tests, which says what it finds.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/support/child_process.h"
#include "tests/support/fake_open_broker.h"

namespace openhook::launcher {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using testing_support::ChildResult;
using testing_support::FakeOpenBroker;
using testing_support::Ok;
using testing_support::RunChild;

class LaunchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/openhook-launch-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    ASSERT_EQ(::chmod(name, 0755), 0);
    socket_ = directory_ + "/open.sock";
    // The build tree may lie where another user cannot look.
    library_ = directory_ + "/libopenhook-preload.so";
    probe_ = directory_ + "/probe";
    std::filesystem::copy_file(PRELOAD_LIBRARY, library_);
    std::filesystem::copy_file(PRELOAD_PROBE, probe_);
  }
  void TearDown() override {
    broker_.reset();
    std::filesystem::remove_all(directory_);
  }

  void StartBroker() {
    broker_ = std::make_unique<FakeOpenBroker>(
        socket_, [](const proto::Request& request) { return Ok(request.open().path()); });
  }

  // The launcher with `options` in front of the probe with `command`.
  ChildResult Launch(const std::vector<std::string>& options,
                     const std::vector<std::string>& command) {
    std::vector<std::string> words = {LAUNCHER, "--socket", socket_, "--preload", library_};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", probe_});
    words.insert(words.end(), command.begin(), command.end());
    return RunChild(words, {"PATH=/usr/bin", "KEPT=yes"});
  }
  // Root gives itself up; anybody else can only stay.
  static std::vector<std::string> OtherUser() {
    return ::geteuid() == 0 ? std::vector<std::string>{"--user", "65534:65534"}
                            : std::vector<std::string>{};
  }

  std::string directory_;
  std::string socket_;
  std::string library_;
  std::string probe_;
  std::unique_ptr<FakeOpenBroker> broker_;
};

TEST_F(LaunchTest, TheProgramOpensThroughTheBrokerOverTheLaunchersConnection) {
  StartBroker();
  const ChildResult result = Launch(OtherUser(), {"open", "/srv/disk.qcow2", "2"});
  EXPECT_EQ(result.out, "open: '/srv/disk.qcow2'\n") << result.err;
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_EQ(broker_->Connections(), 1U);
  ASSERT_EQ(broker_->Programs().size(), 1U);
}

TEST_F(LaunchTest, TheProgramIsTheUserAndHasTheEnvironment) {
  StartBroker();
  const std::string work = directory_ + "/work";
  ASSERT_EQ(::mkdir(work.c_str(), 0777), 0);
  auto options = OtherUser();
  options.insert(options.end(), {"--writable", work, "--tmp", work});
  const ChildResult result = Launch(options, {"who"});
  if (::geteuid() == 0) {
    EXPECT_THAT(result.out, HasSubstr("uid 65534 gid 65534 "));
  }
  EXPECT_THAT(result.out, HasSubstr("OPENHOOK_SOCKET=" + socket_ + "\n"));
  EXPECT_THAT(result.out, HasSubstr("OPENHOOK_NATIVE=" + work + ":" + work + "\n"));
  EXPECT_THAT(result.out, HasSubstr("LD_PRELOAD=" + library_ + "\n"));
  EXPECT_THAT(result.out, HasSubstr("TMPDIR=" + work + "\n"));
  EXPECT_THAT(result.out, HasSubstr("KEPT=yes\n"));
  EXPECT_THAT(result.out, HasSubstr("/etc/shadow: 13\n"));
}

TEST_F(LaunchTest, LandlockHoldsEvenRoot) {
  StartBroker();
  EXPECT_THAT(Launch({}, {"who"}).out, HasSubstr("/etc/shadow: 13\n"));
}

TEST_F(LaunchTest, InheritedDescriptorsSurviveAndTheSocketLiesHigh) {
  StartBroker();
  const UniqueFd kept(::dup2(STDERR_FILENO, 9));
  const ChildResult result = Launch({}, {"who"});
  EXPECT_THAT(result.out, HasSubstr("descriptor 9: open"));
  const std::size_t at = result.out.find("OPENHOOK_FD=");
  ASSERT_NE(at, std::string::npos);
  const int number = std::atoi(result.out.c_str() + at + 12);
  EXPECT_GE(number, 100);
  EXPECT_LT(number, 1024);
}

// block-commit compares file names by realpath, also of images in directories that QEMU cannot
// search.
TEST_F(LaunchTest, ANameOfTheBrokerIsItsOwnRealPath) {
  StartBroker();
  const std::string hidden = directory_ + "/hidden";
  ASSERT_EQ(::mkdir(hidden.c_str(), 0), 0);
  EXPECT_EQ(Launch(OtherUser(), {"realpath", hidden + "//./disk"}).out,
            "realpath: " + hidden + "/disk\n");
  EXPECT_EQ(Launch(OtherUser(), {"realpath", hidden + "/../hidden/disk"}).out,
            "realpath: Permission denied\n");
  ::chmod(hidden.c_str(), 0700);
}

TEST_F(LaunchTest, WithoutLandlockThereIsAWarning) {
  StartBroker();
  const ChildResult result = Launch({"--no-landlock"}, {"open", "/srv/x", "0"});
  EXPECT_EQ(result.out, "open: '/srv/x'\n");
  EXPECT_THAT(result.err, StartsWith("openhook-qemu: warning: --no-landlock"));
}

TEST_F(LaunchTest, AWritableDirectoryIsOpenedWithoutTheBroker) {
  StartBroker();
  const std::string work = directory_ + "/work";
  ASSERT_EQ(::mkdir(work.c_str(), 0700), 0);
  std::ofstream(work + "/file") << "native";
  EXPECT_EQ(Launch({"--writable", work}, {"open", work + "/file", "2"}).out, "open: 'native'\n");
  EXPECT_THAT(broker_->Requests(), IsEmpty());
}

TEST_F(LaunchTest, NoBrokerIsAClearRefusal) {
  const ChildResult result = Launch({}, {"who"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("cannot connect to the broker at '" + socket_ + "'"));
  EXPECT_THAT(result.err, HasSubstr("is openhookd running"));
  EXPECT_THAT(result.out, IsEmpty());
}

TEST_F(LaunchTest, ARefusedHelloIsAClearRefusal) {
  StartBroker();
  broker_->RefuseHello("not the VM's user");
  const ChildResult result = Launch({}, {"who"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("not the VM's user"));
}

TEST_F(LaunchTest, ALibraryThatTheProgramCannotReadIsARefusalAndNotAWarningOfTheLoader) {
  StartBroker();
  ASSERT_EQ(::chmod(library_.c_str(), 0), 0);
  const ChildResult result = Launch(OtherUser(), {"who"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("cannot read the shim library"));
}

TEST_F(LaunchTest, ALibraryBelowAClosedDirectoryIsInheritedAsADescriptor) {
  StartBroker();
  const std::string closed = directory_ + "/closed";
  std::filesystem::create_directory(closed);
  std::filesystem::rename(library_, closed + "/libopenhook-preload.so");
  library_ = closed + "/libopenhook-preload.so";
  ASSERT_EQ(::chmod(closed.c_str(), 0700), 0);
  const ChildResult result = Launch(OtherUser(), {"open", "/srv/disk.qcow2", "2"});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "open: '/srv/disk.qcow2'\n");
}

TEST_F(LaunchTest, ExitStatusesAreTheShells) {
  StartBroker();
  const auto status_of = [&](const std::string& program) {
    return RunChild({LAUNCHER, "--socket", socket_, "--preload", library_, "--", program},
                    {"PATH=/usr/bin"})
        .status;
  };
  EXPECT_EQ(status_of("no-such-program"), 127);
  EXPECT_EQ(status_of("/etc/passwd"), 126);
  EXPECT_EQ(status_of("/usr/bin/true"), 0);
  EXPECT_EQ(status_of("/usr/bin/false"), 1);
  EXPECT_EQ(RunChild({LAUNCHER}, {}).status, 2);
}

TEST_F(LaunchTest, AMissingDirectoryIsNamed) {
  StartBroker();
  const ChildResult result = Launch({"--writable", "/no/such/dir"}, {"who"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("'/no/such/dir'"));
}

}  // namespace
}  // namespace openhook::launcher
