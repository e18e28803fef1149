// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a program gets for each call, and what the broker is asked.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/unit/seccomp/notifier_test.h"

namespace openhook::seccomp {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing_support::ChildResult;
using testing_support::Deny;
using testing_support::FakeReply;
using testing_support::NotMine;
using testing_support::Ok;

using AnswersTest = NotifierTest;

FakeReply Yes() {
  FakeReply fake = NotMine();
  fake.reply.set_outcome(proto::OUTCOME_OK);
  return fake;
}

// Without it (tests/enosys) ENOSYS is the answer: a filter's error goes before a notification.
bool HasOpenat2() {
  return ::syscall(SYS_openat2, AT_FDCWD, nullptr, nullptr, 0) >= 0 || errno != ENOSYS;
}

TEST_F(AnswersTest, AStaticProgramGetsADescriptorFromTheBroker) {
  StartEcho();
  const ChildResult result = Probe({"open", kImage, std::to_string(O_RDWR)});
  EXPECT_EQ(result.out, std::string("ok '") + kImage + "'\n") << result.err;
  EXPECT_THAT(result.err, IsEmpty());
  ASSERT_EQ(broker_->Requests().size(), 1U);
  const proto::OpenRequest open = broker_->Requests().front().open();
  EXPECT_EQ(open.path(), kImage);
  EXPECT_EQ(open.cwd(), "");
  EXPECT_EQ(open.access(), proto::ACCESS_READ_WRITE);
  EXPECT_FALSE(open.create());
  EXPECT_THAT(broker_->Programs(), ::testing::Contains("openhook-notifier"));
}

TEST_F(AnswersTest, CloseOnExecIsWhatTheProgramAskedFor) {
  StartEcho();
  EXPECT_THAT(Probe({"open", "/srv/x", std::to_string(O_RDONLY | O_CLOEXEC)}).out,
              HasSubstr("closed on exec"));
}

TEST_F(AnswersTest, ADenialIsAnErrnoAndALineInTheProgramsLog) {
  StartBroker([](const proto::Request&) { return Deny(EACCES, "not on the list"); });
  const ChildResult result = Probe({"open", kImage, "0"});
  EXPECT_EQ(result.out, Word(EACCES));
  EXPECT_EQ(result.err,
            std::string("openhook: open '") + kImage + "' for reading: refused: not on the list\n");
  EXPECT_EQ(Probe({"stat", kImage}).err, "");
}

TEST_F(AnswersTest, AnEintrOfTheBrokerIsNotHandedOn) {
  StartBroker([](const proto::Request&) { return testing_support::Fail(EINTR); });
  EXPECT_EQ(Probe({"open", kImage, "0"}).out, Word(EIO));
}

TEST_F(AnswersTest, NotMineMeansWithTheProgramsOwnRights) {
  StartBroker([](const proto::Request&) { return NotMine(); });
  const std::string work = directory_ + "/work";
  std::filesystem::create_directory(work);
  std::ofstream(work + "/file") << "native";
  EXPECT_EQ(Probe({"open", work + "/file", "0"}).out, Word(EACCES));  // Landlock
  options_ = {"--no-landlock"};
  EXPECT_EQ(Probe({"open", work + "/file", "0"}).out, "ok 'native'\n");
  ASSERT_EQ(::chmod((work + "/file").c_str(), 0600), 0);
  if (::geteuid() == 0) {
    EXPECT_EQ(Probe({"open", work + "/file", "0"}).out, Word(EACCES));
  }
}

TEST_F(AnswersTest, SystemPathsAndPrivateDirectoriesAreNotAskedFor) {
  StartEcho();
  const std::string work = directory_ + "/work";
  std::filesystem::create_directory(work);
  std::ofstream(work + "/file") << "native";
  options_ = {"--readable", work};
  EXPECT_EQ(Probe({"open", work + "/file", "0"}).out, "ok 'native'\n");
  EXPECT_EQ(Probe({"open", "/dev/null", std::to_string(O_RDWR)}).out, "ok ''\n");
  EXPECT_EQ(Probe({"open", "/usr/no/such/file", "0"}).out, Word(ENOENT));
  EXPECT_THAT(broker_->Requests(), IsEmpty());
}

TEST_F(AnswersTest, ASystemPathThatTheKernelWouldRefuseIsAskedForQuietly) {
  StartBroker([](const proto::Request& request) {
    return request.open().path() == "/usr/bin/env" ? Ok("granted") : Deny(EACCES, "no");
  });
  EXPECT_EQ(Probe({"open", "/usr/bin/env", std::to_string(O_RDWR)}).out, "ok 'granted'\n");
  const ChildResult result = Probe({"open", "/usr/bin/yes", std::to_string(O_RDWR)});
  EXPECT_EQ(result.out, Word(EACCES));
  EXPECT_EQ(result.err, "");
}

TEST_F(AnswersTest, ANewFilesModeIsCutByTheProgramsUmask) {
  StartEcho();
  EXPECT_EQ(Probe({"create", kImage, "027"}).out, std::string("ok '") + kImage + "'\n");
  const proto::OpenRequest open = broker_->Requests().front().open();
  EXPECT_TRUE(open.create());
  EXPECT_TRUE(open.truncate());
  EXPECT_EQ(open.mode(), 0640U);
  EXPECT_NE(open.token(), 0U);
}

TEST_F(AnswersTest, ARelativeNameTravelsWithTheWorkingDirectory) {
  StartEcho();
  EXPECT_EQ(Probe({"open-relative", directory_, "./disk", "0"}).out, "ok './disk'\n");
  EXPECT_EQ(broker_->Requests().front().open().cwd(), directory_);
}

TEST_F(AnswersTest, ANameRelativeToADescriptorIsNative) {
  StartEcho();
  std::ofstream(directory_ + "/file") << "native";
  options_ = {"--readable", directory_};
  EXPECT_EQ(Probe({"open-at", directory_, "file"}).out, "ok 'native'\n");
  EXPECT_THAT(broker_->Requests(), IsEmpty());
}

TEST_F(AnswersTest, ADirectoryByItsSpellingIsNative) {
  StartEcho();
  for (const std::string name : {"/", ".", "/srv/..", "/srv/"}) {
    EXPECT_THAT(Probe({"stat", name}).out, HasSubstr("mode 40")) << name;
    EXPECT_THAT(Probe({"open", name, "0"}).out, HasSubstr("errno 13")) << name;
  }
  EXPECT_THAT(broker_->Requests(), IsEmpty());
}

TEST_F(AnswersTest, Openat2IsAnOpenWhereItsPromisesCanBeKept) {
  StartEcho();
  const std::string no_symlinks = std::to_string(RESOLVE_NO_SYMLINKS);
  if (!HasOpenat2()) {
    EXPECT_EQ(Probe({"open-how", "/srv/x", "0", no_symlinks}).out, Word(ENOSYS));
    return;
  }
  EXPECT_EQ(Probe({"open-how", "/srv/x", "0", no_symlinks}).out, "ok '/srv/x'\n");
  EXPECT_EQ(Probe({"open-how", "/srv/x", "0", std::to_string(RESOLVE_BENEATH)}).out, Word(EXDEV));
}

TEST_F(AnswersTest, StatIsWrittenIntoTheProgram) {
  StartBroker([](const proto::Request&) {
    FakeReply fake = Yes();
    fake.reply.mutable_stat()->set_size(4711);
    fake.reply.mutable_stat()->set_mode(S_IFREG | 0600);
    return fake;
  });
  EXPECT_EQ(Probe({"stat", kImage}).out, "ok size 4711 mode 100600\n");
  EXPECT_EQ(Probe({"statx", kImage}).out, "ok size 4711 mode 100600\n");
}

TEST_F(AnswersTest, AStatWithoutAResultIsAnError) {
  StartBroker([](const proto::Request&) { return Yes(); });
  EXPECT_EQ(Probe({"stat", kImage}).out, Word(EIO));
}

TEST_F(AnswersTest, AccessAndUnlinkAskForThemselves) {
  StartBroker([](const proto::Request& request) {
    return request.has_unlink() ? Deny(EACCES, "not yours") : Yes();
  });
  EXPECT_EQ(Probe({"access", kImage, std::to_string(R_OK | W_OK)}).out, "ok\n");
  EXPECT_TRUE(broker_->Requests().front().access().write());
  EXPECT_EQ(Probe({"unlink", kImage}).out, Word(EACCES));
  EXPECT_EQ(broker_->Requests().back().unlink().path(), kImage);
}

// block-commit compares file names by realpath, also of images in directories that QEMU cannot
// search.
TEST_F(AnswersTest, ANameOfTheBrokerIsItsOwnRealPath) {
  StartBroker([&](const proto::Request& request) {
    return request.access().path().ends_with("/disk") ? Yes() : Deny(EACCES, "no");
  });
  const std::string hidden = directory_ + "/hidden";
  ASSERT_EQ(::mkdir(hidden.c_str(), 0), 0);
  if (::geteuid() == 0) {
    EXPECT_EQ(Probe({"realpath", hidden + "//./disk"}).out, "ok " + hidden + "/disk\n");
    EXPECT_EQ(Probe({"realpath", hidden + "/other"}).out, Word(EACCES));
    EXPECT_EQ(broker_->Requests().size(), 2U) << "names that the kernel can read need no broker";
  }
}

TEST_F(AnswersTest, AddressesThatLeadNowhereGetTheKernelsAnswer) {
  StartBroker([](const proto::Request& request) {
    FakeReply fake = request.has_open() ? Ok("file") : Yes();
    if (request.has_stat()) {
      fake.reply.mutable_stat()->set_size(1);
    }
    return fake;
  });
  EXPECT_EQ(Probe({"hostile", kImage}).out,
            "nowhere: " + Word(EFAULT) + "not readable: " + Word(EFAULT) +
                "not terminated: " + Word(ENAMETOOLONG) +
                "not terminated before the end of the memory: " + Word(EFAULT) +
                "at the very end of the memory: ok 'file'\n" + "result where nobody can write: " +
                Word(EFAULT) + "result in read-only memory: " + Word(EFAULT) +
                "how from nowhere: " + Word(HasOpenat2() ? EFAULT : ENOSYS) +
                "how too long: " + Word(HasOpenat2() ? E2BIG : ENOSYS));
}

TEST_F(AnswersTest, AFullTableIsNoticedBeforeAFileIsMade) {
  StartEcho();
  const std::string create = std::to_string(O_RDWR | O_CREAT);
  EXPECT_EQ(Probe({"full-table", kImage, create}).out, Word(EMFILE));
  EXPECT_THAT(broker_->Requests(), IsEmpty());
  const ChildResult result = Probe({"full-table", kImage, std::to_string(O_RDWR)});
  EXPECT_EQ(result.out, Word(EMFILE));
  EXPECT_THAT(result.err, HasSubstr("RLIMIT_NOFILE"));
}

TEST_F(AnswersTest, ANewFileThatFindsTheTableFullIsRemovedAgain) {
  std::atomic<testing_support::FakeOpenBroker*> started = nullptr;
  StartBroker([&started](const proto::Request& request) {
    if (request.has_open()) {
      started.load()->AwaitRequests(2);  // the other thread has filled the table
    }
    return request.has_open() ? Ok("") : Yes();
  });
  started = broker_.get();
  EXPECT_EQ(Probe({"fill-meanwhile", kImage, "/srv/go"}).out, Word(EMFILE));
  ASSERT_EQ(broker_->Requests().size(), 3U);
  EXPECT_EQ(broker_->Requests().back().unlink().path(), kImage);
}

}  // namespace
}  // namespace openhook::seccomp
