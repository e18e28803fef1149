// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The shim in a real process (probe.cc) against a broker that answers as each test wants it.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <thread>

#include "proto/bundle.h"
#include "tests/support/child_process.h"
#include "tests/support/fake_open_broker.h"

namespace openhook::preload {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using testing_support::ChildResult;
using testing_support::Close;
using testing_support::Deny;
using testing_support::FakeOpenBroker;
using testing_support::FakeReply;
using testing_support::NotMine;
using testing_support::Ok;
using testing_support::RunChild;

constexpr const char* kImage = "/srv/vm/disk.qcow2";

std::string Word(int sys_errno) { return "errno " + std::to_string(sys_errno); }

class ShimTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/openhook-shim-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    socket_ = directory_ + "/open.sock";
    environment_ = {std::string("LD_PRELOAD=") + PRELOAD_LIBRARY, "OPENHOOK_SOCKET=" + socket_,
                    "OPENHOOK_WAIT_MS=3000"};
  }
  void TearDown() override {
    broker_.reset();
    std::filesystem::remove_all(directory_);
  }

  void StartBroker(FakeOpenBroker::Handler handler) {
    broker_ = std::make_unique<FakeOpenBroker>(socket_, std::move(handler));
  }
  // A broker that gives every open a file holding the path that was asked for.
  void StartGenerousBroker() {
    StartBroker([](const proto::Request& request) { return Ok(request.open().path()); });
  }

  ChildResult Probe(std::vector<std::string> words) {
    words.insert(words.begin(), PRELOAD_PROBE);
    return RunChild(words, environment_);
  }
  ChildResult Open(const std::string& path, int flags = O_RDONLY) {
    return Probe({"open", path, std::to_string(flags)});
  }

  std::string directory_;
  std::string socket_;
  std::vector<std::string> environment_;
  std::unique_ptr<FakeOpenBroker> broker_;
};

// -- what is asked and what comes back

TEST_F(ShimTest, GivesTheProgramTheDescriptorOfTheBroker) {
  StartGenerousBroker();
  const ChildResult result = Open(kImage, O_RDWR | O_DIRECT);
  EXPECT_EQ(result.out, "open: '/srv/vm/disk.qcow2'\n");
  EXPECT_THAT(result.err, IsEmpty());
  const proto::OpenRequest request = broker_->Requests().at(0).open();
  EXPECT_EQ(request.path(), kImage);
  EXPECT_EQ(request.access(), proto::ACCESS_READ_WRITE);
  EXPECT_TRUE(request.direct());
  EXPECT_EQ(request.other_flags(), 0U);
  EXPECT_EQ(request.mode(), 0U);
}

TEST_F(ShimTest, CloseOnExecIsWhatTheProgramAskedFor) {
  StartGenerousBroker();
  EXPECT_EQ(Open(kImage, O_RDONLY | O_CLOEXEC).out, "open: '/srv/vm/disk.qcow2' cloexec\n");
  EXPECT_EQ(Open(kImage, O_RDONLY).out, "open: '/srv/vm/disk.qcow2'\n");
}

TEST_F(ShimTest, EverySymbolThatOpensReachesTheBroker) {
  StartGenerousBroker();
  const ChildResult result = Probe({"every-open", kImage});
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 12) << result.out;
  EXPECT_THAT(result.out, Not(HasSubstr("errno")));
  EXPECT_EQ(broker_->Requests().size(), 12U);
}

TEST_F(ShimTest, EverySymbolOfTheStatFamilyReachesTheBroker) {
  StartBroker([](const proto::Request&) {
    FakeReply fake;
    fake.reply.set_outcome(proto::OUTCOME_OK);
    fake.reply.mutable_stat()->set_size(4711);
    fake.reply.mutable_stat()->set_mode(0100640);
    fake.reply.mutable_stat()->set_mtime_sec(12);
    fake.reply.mutable_stat()->set_mtime_nsec(34);
    return fake;
  });
  const ChildResult result = Probe({"every-stat", kImage});
  for (const char* name : {"stat", "stat64", "lstat", "lstat64", "fstatat", "fstatat64", "__xstat",
                           "__xstat64", "__lxstat", "__lxstat64", "__fxstatat", "__fxstatat64"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string(name) + ": size 4711 mode 100640 mtime 12.34\n"));
  }
  EXPECT_THAT(result.out, HasSubstr("statx: 0 size 4711"));
  const auto requests = broker_->Requests();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(),
                          [](const auto& request) { return request.stat().no_follow(); }),
            4);
}

TEST_F(ShimTest, AccessAndUnlinkReachTheBroker) {
  StartBroker([](const proto::Request& request) {
    FakeReply fake;
    fake.reply.set_outcome(proto::OUTCOME_OK);
    return request.has_access() ? Deny(EACCES, "no") : std::move(fake);
  });
  EXPECT_EQ(Probe({"every-access", kImage}).out,
            "access: 13\neuidaccess: 13\neaccess: 13\nfaccessat: 13\n");
  EXPECT_EQ(Probe({"every-unlink", kImage}).out, "unlink: 0\nunlinkat: 0\nremove: 0\n");
  EXPECT_EQ(broker_->Requests().size(), 7U);
}

TEST_F(ShimTest, TemporaryFilesAreCreatedUnderNamesThatAreFree) {
  std::atomic<int> asked = 0;
  StartBroker([&](const proto::Request& request) {
    return asked++ % 2 == 0 ? testing_support::Fail(EEXIST) : Ok(request.open().path());
  });
  const ChildResult result = Probe({"every-temporary", "/srv/vm/mem.XXXXXX"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, Not(HasSubstr("XXXXXX")));
  EXPECT_THAT(result.out, Not(HasSubstr("errno")));
  const auto requests = broker_->Requests();
  ASSERT_EQ(requests.size(), 8U);
  EXPECT_NE(requests[0].open().path(), requests[1].open().path());
  EXPECT_TRUE(requests[0].open().create());
  EXPECT_TRUE(requests[0].open().exclusive());
  EXPECT_EQ(requests[0].open().mode(), 0600U);
}

TEST_F(ShimTest, ARelativeNameComesWithTheWorkingDirectory) {
  StartGenerousBroker();
  std::ofstream(directory_ + "/file") << "native";
  const ChildResult result = Probe({"relative", directory_, "file"});
  EXPECT_THAT(result.out, HasSubstr("relative: 'file'"));
  EXPECT_EQ(broker_->Requests().at(0).open().path(), "file");
  EXPECT_EQ(broker_->Requests().at(0).open().cwd(), directory_);
}

TEST_F(ShimTest, ANameRelativeToADescriptorIsNotTheBrokers) {
  StartBroker([](const proto::Request&) { return NotMine(); });
  std::ofstream(directory_ + "/file") << "native";
  const ChildResult result = Probe({"relative", directory_, "file"});
  EXPECT_THAT(result.out, HasSubstr("beneath a descriptor: 'native'"));
  EXPECT_EQ(broker_->Requests().size(), 2U);  // the relative open, and the directory
}

TEST_F(ShimTest, TheModeIsCutByTheUmaskOfTheProgram) {
  StartGenerousBroker();
  EXPECT_EQ(Probe({"umask", kImage, "027"}).status, 0);
  EXPECT_EQ(broker_->Requests().at(0).open().mode(), 0640U);
  EXPECT_NE(broker_->Requests().at(0).open().token(), 0U);
}

// -- refusals

TEST_F(ShimTest, ADeniedOpenSaysWhyOnStandardError) {
  StartBroker([](const proto::Request&) { return Deny(EACCES, "not on the whitelist"); });
  const ChildResult result = Open(kImage, O_RDWR);
  EXPECT_EQ(result.out, "open: " + Word(EACCES) + "\n");
  EXPECT_EQ(result.err,
            "openhook: open '/srv/vm/disk.qcow2' for reading and writing: refused: not on the "
            "whitelist\n");
}

TEST_F(ShimTest, TheSameLineIsNotRepeatedForEver) {
  StartBroker([](const proto::Request&) { return Deny(EACCES, "no"); });
  const ChildResult result = Probe({"repeat", kImage, "20", "0"});
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 3);
}

TEST_F(ShimTest, APathCannotForgeALine) {
  StartBroker([](const proto::Request&) { return Deny(EACCES, "no"); });
  EXPECT_THAT(Open("/srv/a\nopenhook: all is well").err,
              StartsWith("openhook: open '/srv/a\\x0aopenhook: all is well' for reading: "));
}

TEST_F(ShimTest, AbsenceIsSilentAndKeepsItsErrno) {
  StartBroker([](const proto::Request&) { return testing_support::Fail(ENOENT); });
  const ChildResult result = Open(kImage);
  EXPECT_EQ(result.out, "open: " + Word(ENOENT) + "\n");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(ShimTest, AnErrnoOfTheBrokerIsNeverEintr) {
  StartBroker([](const proto::Request&) { return testing_support::Fail(EINTR); });
  EXPECT_EQ(Open(kImage).out, "open: " + Word(EIO) + "\n");
}

TEST_F(ShimTest, WhatTheKernelDropsOnTheWayIsReportedAsThat) {
  StartBroker([](const proto::Request&) {
    FakeReply fake = Ok("");
    fake.descriptor.Reset();  // the receiver sees what a security module leaves
    return fake;
  });
  const ChildResult result = Open(kImage);
  EXPECT_EQ(result.out, "open: " + Word(EACCES) + "\n");
  EXPECT_THAT(result.err, HasSubstr("the broker sent the descriptor and the kernel dropped it"));
  EXPECT_THAT(result.err, HasSubstr("file_receive"));
}

TEST_F(ShimTest, AFullDescriptorTableIsEmfileAndPasses) {
  StartGenerousBroker();
  const ChildResult result = Probe({"no-room", kImage});
  EXPECT_THAT(result.out, HasSubstr("full: " + Word(EMFILE)));
  EXPECT_THAT(result.out, HasSubstr("room again: '/srv/vm/disk.qcow2'"));
  EXPECT_THAT(result.err, HasSubstr("RLIMIT_NOFILE"));
  EXPECT_EQ(broker_->Connections(), 1U);
}

// -- who is asked first

TEST_F(ShimTest, NotMineMeansWithYourOwnRights) {
  StartBroker([](const proto::Request&) { return NotMine(); });
  std::ofstream(directory_ + "/own") << "native";
  EXPECT_EQ(Open(directory_ + "/own").out, "open: 'native'\n");
  EXPECT_EQ(broker_->Requests().size(), 1U);
}

TEST_F(ShimTest, SystemFilesNeedNoBroker) {
  StartGenerousBroker();
  EXPECT_THAT(Open("/etc/passwd").out, HasSubstr("root"));
  EXPECT_EQ(Open("/usr/share/openhook-none").out, "open: " + Word(ENOENT) + "\n");
  EXPECT_EQ(broker_->Requests().size(), 0U);
}

TEST_F(ShimTest, PrivateDirectoriesNeedNoBroker) {
  StartGenerousBroker();
  environment_.push_back("OPENHOOK_NATIVE=/nowhere:" + directory_);
  std::ofstream(directory_ + "/own") << "native";
  EXPECT_EQ(Open(directory_ + "/own").out, "open: 'native'\n");
  EXPECT_THAT(Probe({"every-temporary", directory_ + "/mem.XXXXXX"}).out, HasSubstr("mkstemp: ''"));
  EXPECT_EQ(broker_->Requests().size(), 0U);
}

// sysfs refuses writers of a read-only attribute even when they are root (fs/kernfs/file.c,
// KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK).
constexpr const char* kRefusedByTheKernel = "/sys/kernel/uevent_seqnum";

TEST_F(ShimTest, TheBrokerIsAskedWhenTheKernelRefusesANativePath) {
  StartGenerousBroker();
  EXPECT_EQ(Open(kRefusedByTheKernel, O_WRONLY).out, "open: '/sys/kernel/uevent_seqnum'\n");
  EXPECT_EQ(broker_->Requests().size(), 1U);
}

TEST_F(ShimTest, TheKernelsRefusalStandsWhenTheBrokerKnowsNoBetter) {
  StartBroker([](const proto::Request&) { return Deny(EPERM, "no"); });
  const ChildResult result = Open(kRefusedByTheKernel, O_WRONLY);
  EXPECT_EQ(result.out, "open: " + Word(EACCES) + "\n");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(ShimTest, WithoutABrokerInTheEnvironmentNothingChanges) {
  environment_ = {std::string("LD_PRELOAD=") + PRELOAD_LIBRARY};
  std::ofstream(directory_ + "/own") << "native";
  EXPECT_EQ(Open(directory_ + "/own").out, "open: 'native'\n");
  EXPECT_EQ(Open(directory_ + "/none").out, "open: " + Word(ENOENT) + "\n");
}

// -- the connection and its end

TEST_F(ShimTest, OneConnectionServesAllRequests) {
  StartGenerousBroker();
  Probe({"repeat", kImage, "50", "0"});
  EXPECT_EQ(broker_->Requests().size(), 50U);
  EXPECT_EQ(broker_->Connections(), 1U);
}

TEST_F(ShimTest, AForeignIdEndsTheConnectionAndTheRequestIsRepeated) {
  std::atomic<int> asked = 0;
  StartBroker([&](const proto::Request& request) {
    FakeReply fake = Ok(request.open().path());
    if (asked++ == 0) {
      fake.keep_id = true;
      fake.reply.set_id(request.id() + 1);
    }
    return fake;
  });
  EXPECT_EQ(Open(kImage).out, "open: '/srv/vm/disk.qcow2'\n");
  EXPECT_EQ(broker_->Connections(), 2U);
}

TEST_F(ShimTest, ARepeatedCreateCarriesTheSameToken) {
  std::atomic<int> asked = 0;
  StartBroker([&](const proto::Request&) { return asked++ == 0 ? Close() : Ok("new"); });
  EXPECT_EQ(Open(kImage, O_RDWR | O_CREAT | O_EXCL).out, "open: 'new'\n");
  const auto requests = broker_->Requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_NE(requests[0].open().token(), 0U);
  EXPECT_EQ(requests[0].open().token(), requests[1].open().token());
}

TEST_F(ShimTest, ARestartOfTheBrokerIsNotSeen) {
  StartGenerousBroker();
  auto running =
      std::async(std::launch::async, [&] { return Probe({"repeat", kImage, "40", "20"}); });
  ASSERT_TRUE(broker_->AwaitRequests(5));
  broker_->Stop();
  std::this_thread::sleep_for(200ms);
  StartGenerousBroker();
  const ChildResult result = running.get();
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 40);
  EXPECT_THAT(result.out, Not(HasSubstr("errno")));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(ShimTest, ABrokerThatDiesWithTheAnswerAndStaysAwayIsEio) {
  environment_.back() = "OPENHOOK_WAIT_MS=200";
  StartBroker([](const proto::Request&) { return testing_support::SayNothing(); });
  auto running = std::async(std::launch::async, [&] { return Open(kImage); });
  ASSERT_TRUE(broker_->AwaitRequests(1));
  broker_->Stop();
  const ChildResult result = running.get();
  EXPECT_EQ(result.out, "open: " + Word(EIO) + "\n");
  EXPECT_THAT(result.err, HasSubstr("no answer from the broker at '" + socket_ + "'"));
}

TEST_F(ShimTest, ABrokerThatRefusesTheProgramIsEaccesAtOnce) {
  StartGenerousBroker();
  broker_->RefuseHello("wrong user");
  const ChildResult result = Open(kImage);
  EXPECT_EQ(result.out, "open: " + Word(EACCES) + "\n");
  EXPECT_THAT(result.err, HasSubstr("wrong user"));
}

// -- threads, signals, children

TEST_F(ShimTest, EightThreadsGetEachTheirOwnFiles) {
  StartGenerousBroker();
  EXPECT_EQ(Probe({"threads", "/srv/vm", "8", "2000"}).out, "wrong: 0\n");
  EXPECT_EQ(broker_->Requests().size(), 16000U);
  EXPECT_EQ(broker_->Connections(), 1U);
}

TEST_F(ShimTest, SignalsNeverShowAndHandlersMayOpenFiles) {
  StartGenerousBroker();
  EXPECT_EQ(Probe({"signals", kImage}).out, "failures: 0, in handlers: 0\n");
}

TEST_F(ShimTest, AForkedChildMakesItsOwnConnection) {
  StartGenerousBroker();
  const ChildResult result = Probe({"fork", kImage});
  for (const char* who : {"before", "child", "child again", "parent"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string(who) + ": '/srv/vm/disk.qcow2'"));
  }
  EXPECT_EQ(broker_->Connections(), 2U);
}

TEST_F(ShimTest, AVforkedChildLeavesTheParentsConnectionAlone) {
  StartGenerousBroker();
  EXPECT_EQ(Probe({"vfork", kImage}).out,
            "before: '/srv/vm/disk.qcow2'\nchild: 0\nparent: '/srv/vm/disk.qcow2'\n");
  EXPECT_EQ(broker_->Connections(), 3U);  // one for each request of the child
}

TEST_F(ShimTest, AChildBehindTheBackOfLibcLeavesTheConnectionAlone) {
  StartGenerousBroker();
  EXPECT_EQ(Probe({"raw-clone", kImage}).out,
            "before: '/srv/vm/disk.qcow2'\nchild: 0\nparent: '/srv/vm/disk.qcow2'\n");
  EXPECT_EQ(broker_->Connections(), 2U);
}

// -- the launcher's connection

// A greeted connection at a number that survives exec, as the launcher makes it.
class LauncherConnectionTest : public ShimTest {
 protected:
  UniqueFd ConnectedSocket() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(fd.Get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  void HandOver(const UniqueFd& fd) {
    environment_.push_back("OPENHOOK_FD=" + std::to_string(fd.Get()));
  }
};

TEST_F(LauncherConnectionTest, IsUsedInsteadOfANewOne) {
  StartGenerousBroker();
  const UniqueFd fd = ConnectedSocket();
  HandOver(fd);
  EXPECT_EQ(Open(kImage).out, "open: '/srv/vm/disk.qcow2'\n");
  EXPECT_EQ(broker_->Connections(), 1U);
  EXPECT_THAT(broker_->Programs(), IsEmpty());  // no second Hello
}

TEST_F(LauncherConnectionTest, EndsAtTheExecOfAHelper) {
  StartGenerousBroker();
  const UniqueFd fd = ConnectedSocket();
  HandOver(fd);
  EXPECT_EQ(Probe({"exec", kImage}).out,
            "before: '/srv/vm/disk.qcow2' cloexec\nopen: '/srv/vm/disk.qcow2'\n");
  EXPECT_EQ(broker_->Connections(), 2U);
}

TEST_F(LauncherConnectionTest, IsNotTakenFromASocketOfSomebodyElse) {
  StartGenerousBroker();
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  const UniqueFd first(pair[0]);
  const UniqueFd second(pair[1]);
  HandOver(first);
  EXPECT_EQ(Open(kImage).out, "open: '/srv/vm/disk.qcow2'\n");
  EXPECT_EQ(broker_->Connections(), 1U);
  char byte = 0;
  EXPECT_EQ(
      ReceiveBundle(second.Get(), &byte, 1, DescriptorRule::kNone, WaitMode::kDontWait).status,
      BundleStatus::kAgain);
}

}  // namespace
}  // namespace openhook::preload
