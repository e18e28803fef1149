// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/write_locks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "broker/fs/directory.h"
#include "broker/server/descriptor_limit.h"
#include "broker/server/file_service.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using whitelist::GrantAccess;
using whitelist::Rule;

constexpr char kSecondVm[] = "22222222-2222-3333-4444-555555555555";

// Two VMs of one host, and files that either may be given. All files are in the first one's tree.
class TwoVms : public ::testing::Test {
 protected:
  TwoVms() : second_(kSecondVm, first_.options.LockDir()) {}

  static Result<whitelist::Change> GiveShareable(TestBroker* broker, const std::string& path,
                                                 const std::string& lease = "domain") {
    WantedGrant wanted;
    wanted.path = path;
    wanted.access = GrantAccess::kReadWrite;
    wanted.shareable = true;
    return (*broker)->Grant(lease, {wanted}, nullptr);
  }
  static Answer OpenIt(TestBroker* broker, const std::string& path, Access access) {
    OpenIntent intent;
    intent.access = access;
    return Now([&](AnswerDone done) { Open(broker->asking(), {path, ""}, intent, done); });
  }
  static bool MayOpen(TestBroker* broker, const std::string& path, Access access) {
    return OpenIt(broker, path, access).kind == Answer::Kind::kOk;
  }
  void ExpectRefusedToSecond(const Result<whitelist::Change>& granted) {
    ASSERT_FALSE(granted);
    EXPECT_EQ(granted.error().code, ErrorCode::kConflict);
    EXPECT_THAT(granted.error().Message(), HasSubstr(first_.options.vm));
    EXPECT_THAT(granted.error().Message(), HasSubstr("revoke it there first"));
    EXPECT_THAT(granted.error().Message(), HasSubstr("--shareable"));
  }
  [[nodiscard]] std::vector<std::string> LockFiles() const {
    return fs::ListDirectory(first_.options.LockDir()).value();
  }

  TestBroker first_;
  TestBroker second_;
  std::string file_ = first_.tree.File("images/disk", "data");
};

TEST_F(TwoVms, MayNotBothWriteToOneFile) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  ExpectRefusedToSecond(second_.Give(file_, GrantAccess::kReadWrite));
  ExpectRefusedToSecond(second_.Give(file_, GrantAccess::kCreate));
  EXPECT_TRUE(second_->whitelist().grants().empty());
  EXPECT_EQ(second_->audit().Last(1)[0].outcome, audit::Outcome::kFail);
  EXPECT_TRUE(MayOpen(&first_, file_, Access::kReadWrite));
}

TEST_F(TwoVms, MayReadWhatTheOtherWrites) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  ASSERT_TRUE(second_.Give(file_, GrantAccess::kRead));
  EXPECT_TRUE(MayOpen(&second_, file_, Access::kRead));
}

TEST_F(TwoVms, TakeTurnsAfterARevoke) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  ASSERT_TRUE(first_->Revoke("domain", {}, nullptr));
  EXPECT_THAT(LockFiles(), IsEmpty());
  ASSERT_TRUE(second_.Give(file_, GrantAccess::kReadWrite));
  EXPECT_FALSE(first_.Give(file_, GrantAccess::kReadWrite));
}

TEST_F(TwoVms, TakeTurnsAfterAGrantWasNarrowedToReading) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kRead));
  EXPECT_TRUE(second_.Give(file_, GrantAccess::kReadWrite));
}

TEST_F(TwoVms, OneLockServesAllLeasesAndNamesOfAFile) {
  const std::string link = first_.tree.Path("images/hard-link");
  ASSERT_EQ(::link(file_.c_str(), link.c_str()), 0);
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite, "device:vda"));
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite, "job:1"));
  ASSERT_TRUE(first_.Give(link, GrantAccess::kReadWrite, "job:2"));
  EXPECT_THAT(LockFiles(), SizeIs(1));
  for (const char* lease : {"device:vda", "job:2"}) {
    ASSERT_TRUE(first_->Revoke(lease, {}, nullptr));
    EXPECT_FALSE(second_.Give(file_, GrantAccess::kReadWrite)) << lease;
  }
  ASSERT_TRUE(first_->Revoke("job:1", {}, nullptr));
  EXPECT_TRUE(second_.Give(file_, GrantAccess::kReadWrite));
}

TEST_F(TwoVms, AreNotFooledByAHardLinkOrAnotherDeviceNode) {
  const std::string link = first_.tree.Path("images/hard-link");
  ASSERT_EQ(::link(file_.c_str(), link.c_str()), 0);
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  ExpectRefusedToSecond(second_.Give(link, GrantAccess::kReadWrite));

  const std::string node = first_.tree.Path("images/node");
  const std::string other_node = first_.tree.Path("images/other-node");
  for (const std::string& path : {node, other_node}) {
    ASSERT_EQ(::mknod(path.c_str(), S_IFBLK | 0600, makedev(7, 250)), 0);
  }
  ASSERT_TRUE(first_.Give(node, GrantAccess::kReadWrite));
  ExpectRefusedToSecond(second_.Give(other_node, GrantAccess::kReadWrite));
}

TEST_F(TwoVms, ShareCharacterDevicesFifosAndDirectories) {
  const std::string fifo = first_.tree.Fifo("images/fifo");
  for (TestBroker* broker : {&first_, &second_}) {
    EXPECT_TRUE(broker->Give("/dev/null", GrantAccess::kReadWrite));
    EXPECT_TRUE(broker->Give(fifo, GrantAccess::kReadWrite));
    EXPECT_TRUE(broker->Give(first_.tree.Path("images"), GrantAccess::kCreate));
  }
  EXPECT_THAT(LockFiles(), IsEmpty());
}

TEST_F(TwoVms, ShareADiskThatIsGrantedSoToBoth) {
  ASSERT_TRUE(GiveShareable(&first_, file_));
  ASSERT_TRUE(GiveShareable(&second_, file_));
  EXPECT_TRUE(MayOpen(&first_, file_, Access::kReadWrite));
  EXPECT_TRUE(MayOpen(&second_, file_, Access::kReadWrite));
  first_.Restart();
  EXPECT_TRUE(MayOpen(&first_, file_, Access::kReadWrite));
  EXPECT_TRUE(first_->whitelist().grants().begin()->second.shareable);
}

TEST_F(TwoVms, DoNotShareWithOneThatWantsADiskForItself) {
  ASSERT_TRUE(GiveShareable(&first_, file_));
  ExpectRefusedToSecond(second_.Give(file_, GrantAccess::kReadWrite));
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite, "other"));
  ExpectRefusedToSecond(GiveShareable(&second_, file_));
}

TEST_F(TwoVms, ShareAgainWhenTheLastExclusiveLeaseIsOver) {
  ASSERT_TRUE(GiveShareable(&first_, file_, "device:vda"));
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite, "job:1"));
  ASSERT_TRUE(first_->Revoke("job:1", {}, nullptr));
  ASSERT_TRUE(GiveShareable(&second_, file_));
  EXPECT_FALSE(first_.Give(file_, GrantAccess::kReadWrite, "job:1"));
  EXPECT_TRUE(MayOpen(&first_, file_, Access::kReadWrite)) << "the shared lock stayed";
}

TEST_F(TwoVms, ANameToBeCreatedIsNotShareable) {
  WantedGrant wanted;
  wanted.path = first_.tree.Path("images/new");
  wanted.access = GrantAccess::kCreate;
  wanted.shareable = true;
  const auto granted = first_->Grant("domain", {wanted}, nullptr);
  ASSERT_FALSE(granted);
  EXPECT_EQ(granted.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(TwoVms, NobodyIsGivenALockFile) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  const auto granted =
      second_.Give(first_.options.LockDir() + "/" + LockFiles().front(), GrantAccess::kReadWrite);
  ASSERT_FALSE(granted);
  EXPECT_EQ(granted.error().code, ErrorCode::kPermission);
}

TEST_F(TwoVms, ARequestIsTakenWholeOrNotAtAllAndLeavesNoLock) {
  const std::string other = first_.tree.File("images/other");
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  WantedGrant free;
  free.path = other;
  free.access = GrantAccess::kReadWrite;
  WantedGrant taken = free;
  taken.path = file_;
  for (const auto& request : {std::vector{free, taken}, std::vector{taken, free}}) {
    ExpectRefusedToSecond(second_->Grant("domain", request, nullptr));
    EXPECT_THAT(LockFiles(), SizeIs(1));
  }
  EXPECT_TRUE(first_.Give(other, GrantAccess::kReadWrite));
}

TEST_F(TwoVms, AFileThatAVmMakesIsLockedBeforeItIsHandedOut) {
  const std::string made = first_.tree.Path("images/made");
  ASSERT_TRUE(first_.Give(first_.tree.Path("images"), GrantAccess::kCreate));
  OpenIntent intent;
  intent.access = Access::kReadWrite;
  intent.create = true;
  intent.mode = 0600;
  const Answer opened =
      Now([&](AnswerDone done) { Open(first_.asking(), {made, ""}, intent, done); });
  ASSERT_EQ(opened.kind, Answer::Kind::kOk);
  ExpectRefusedToSecond(second_.Give(made, GrantAccess::kReadWrite));
  first_.Restart();
  ExpectRefusedToSecond(second_.Give(made, GrantAccess::kReadWrite));
  const Answer removed = Now([&](AnswerDone done) { Unlink(first_.asking(), {made, ""}, done); });
  ASSERT_EQ(removed.kind, Answer::Kind::kOk);
  EXPECT_THAT(LockFiles(), IsEmpty());
}

// An inode number is used again at once on ext4: what the first VM had is gone.
TEST_F(TwoVms, TheGrantOfADeletedFileDoesNotLockItsSuccessor) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  for (int i = 0; i < 5; ++i) {
    ::unlink(file_.c_str());
    ::usleep(20'000);  // more than the tick of birth times
    ASSERT_TRUE(second_.Give(first_.tree.File("images/disk", "new"), GrantAccess::kReadWrite));
  }
}

TEST_F(TwoVms, ABrokerThatEndsLetsGoAndTakesItsLocksAgain) {
  ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
  first_.Restart();
  ExpectRefusedToSecond(second_.Give(file_, GrantAccess::kReadWrite));
  first_.Stop();
  EXPECT_THAT(LockFiles(), SizeIs(1)) << "it says whose the file is, and locks nothing";
  EXPECT_TRUE(second_.Give(file_, GrantAccess::kReadWrite));
}

class LockLostWhileAway : public TwoVms {
 protected:
  void SetUp() override {
    ASSERT_TRUE(first_.Give(file_, GrantAccess::kReadWrite));
    first_.Stop();
    ASSERT_TRUE(second_.Give(file_, GrantAccess::kReadWrite));
    first_.Restart();
  }
  void ExpectLocked(const Answer& answer) {
    EXPECT_EQ(answer.kind, Answer::Kind::kDenied);
    EXPECT_EQ(answer.rule, Rule::kLockedByAnotherVm);
    EXPECT_THAT(answer.detail, HasSubstr(kSecondVm));
    EXPECT_FALSE(answer.fd);
  }
};

TEST_F(LockLostWhileAway, TheBrokerStartsAndSaysSo) {
  const audit::Event event = first_->audit().Last(1)[0];
  EXPECT_EQ(event.outcome, audit::Outcome::kFail);
  EXPECT_EQ(event.rule, "locked-by-another-vm");
  EXPECT_EQ(event.path, file_);
  EXPECT_THAT(event.reason, HasSubstr(kSecondVm));
}

TEST_F(LockLostWhileAway, ReadingGoesOnAndWritingIsRefused) {
  EXPECT_TRUE(MayOpen(&first_, file_, Access::kRead));
  for (const Access access : {Access::kWrite, Access::kReadWrite}) {
    ExpectLocked(OpenIt(&first_, file_, access));
  }
  const auto access_to = [&](const whitelist::AskedAccess& asked) {
    return Now([&](AnswerDone done) { CheckAccess(first_.asking(), {file_, ""}, asked, done); });
  };
  ExpectLocked(access_to({.write = true}));
  EXPECT_EQ(access_to({.read = true}).kind, Answer::Kind::kOk);
  OpenIntent write;
  write.access = Access::kReadWrite;
  ExpectLocked(
      Now([&](AnswerDone done) { ExplainOpen(first_.asking(), {file_, ""}, write, done); }));
  EXPECT_TRUE(MayOpen(&second_, file_, Access::kReadWrite));
}

TEST_F(LockLostWhileAway, OtherFilesAreNotTouchedByIt) {
  const std::string other = first_.tree.File("images/other");
  ASSERT_TRUE(first_.Give(other, GrantAccess::kReadWrite));
  EXPECT_TRUE(MayOpen(&first_, other, Access::kReadWrite));
  EXPECT_TRUE(first_.Give(file_, GrantAccess::kRead, "reading"));
  EXPECT_FALSE(first_.Give(file_, GrantAccess::kReadWrite, "writing"));
}

TEST_F(LockLostWhileAway, HealsWhenTheOtherLetsGo) {
  ASSERT_TRUE(second_->Revoke("domain", {}, nullptr));
  EXPECT_TRUE(MayOpen(&first_, file_, Access::kReadWrite));
  EXPECT_FALSE(second_.Give(file_, GrantAccess::kReadWrite));
}

TEST_F(LockLostWhileAway, IsForgottenWithTheGrant) {
  ASSERT_TRUE(first_->Revoke("domain", {}, nullptr));
  EXPECT_TRUE(MayOpen(&second_, file_, Access::kReadWrite));
  ASSERT_TRUE(second_->Revoke("domain", {}, nullptr));
  EXPECT_THAT(LockFiles(), IsEmpty());
}

// Grants whose lease is over while QEMU holds the file, and grants that became doubtful, as the
// whitelist has them.
class Locks : public ::testing::Test {
 protected:
  WriteLocks Open(const std::string& vm) { return WriteLocks::Open(directory_, vm).value(); }
  whitelist::Grant WritableGrant(whitelist::GrantId id) {
    whitelist::Grant grant{.path = CanonicalPath::Parse("/img/a").value()};
    grant.id = id;
    grant.lease = "lease" + std::to_string(id);
    grant.access = GrantAccess::kReadWrite;
    grant.identity =
        FileIdentity{.kind = FileKind::kRegular, .dev = 0x801, .ino = 5, .birth_ns = 1};
    return grant;
  }
  static Result<void> Do(WriteLocks* locks, whitelist::Whitelist* list, whitelist::Change change) {
    auto pending = locks->Prepare(*list, change);
    if (!pending) {
      return tl::make_unexpected(pending.error());
    }
    list->Apply(change);
    pending->Commit();
    return {};
  }

  testing::TempTree tree_;
  std::string directory_ = tree_.Path("locks");
};

TEST_F(Locks, AreKeptWhileTheVmHoldsAFileWhoseLeaseIsOver) {
  WriteLocks first = Open("vm-1");
  WriteLocks second = Open("vm-2");
  whitelist::Whitelist list;
  whitelist::Whitelist other;
  ASSERT_TRUE(Do(&first, &list, {1, {}, {WritableGrant(1)}, {}, {}}));
  whitelist::Grant ended = WritableGrant(1);
  ended.ended_unix = 1;
  ASSERT_TRUE(Do(&first, &list, {2, {1}, {ended}, {}, {}}));
  EXPECT_FALSE(Do(&second, &other, {1, {}, {WritableGrant(1)}, {}, {}}));
  ASSERT_TRUE(Do(&first, &list, {3, {1}, {}, {}, {}}));
  EXPECT_TRUE(Do(&second, &other, {1, {}, {WritableGrant(1)}, {}, {}}));
}

TEST_F(Locks, OfAnEndedGrantAreTakenAgainAtTheStartAndNeverRefuseAnEnd) {
  WriteLocks second = Open("vm-2");
  whitelist::Whitelist other;
  ASSERT_TRUE(Do(&second, &other, {1, {}, {WritableGrant(1)}, {}, {}}));
  whitelist::Whitelist list({.generation = 1, .grants = {WritableGrant(1)}});
  WriteLocks first = Open("vm-1");
  EXPECT_THAT(first.Restore(list), SizeIs(1));
  EXPECT_FALSE(first.Ensure(*WritableGrant(1).identity));
  whitelist::Grant ended = WritableGrant(1);
  ended.ended_unix = 1;
  EXPECT_TRUE(Do(&first, &list, {2, {1}, {ended}, {}, {}}));
  ASSERT_TRUE(Do(&second, &other, {2, {1}, {}, {}, {}}));
  WriteLocks again = Open("vm-1");
  EXPECT_THAT(again.Restore(list), IsEmpty());
  EXPECT_FALSE(Do(&second, &other, {3, {}, {WritableGrant(2)}, {}, {}}));
}

TEST_F(Locks, ThatAreMissingRefuseNoChangeThatOnlyMovesAccess) {
  WriteLocks second = Open("vm-2");
  whitelist::Whitelist other;
  ASSERT_TRUE(Do(&second, &other, {1, {}, {WritableGrant(1)}, {}, {}}));
  whitelist::Whitelist list({.generation = 1, .grants = {WritableGrant(1)}});
  WriteLocks first = Open("vm-1");
  EXPECT_THAT(first.Restore(list), SizeIs(1));
  EXPECT_TRUE(Do(&first, &list, {2, {1}, {WritableGrant(2)}, {}, {}}));
  EXPECT_FALSE(first.Ensure(*WritableGrant(2).identity));
  ASSERT_TRUE(Do(&second, &other, {2, {1}, {}, {}, {}}));
  EXPECT_TRUE(first.Ensure(*WritableGrant(2).identity));
  EXPECT_FALSE(Do(&second, &other, {3, {}, {WritableGrant(3)}, {}, {}}));
}

TEST_F(Locks, StayWithAGrantThatBecameStaleButAreNotTakenForOne) {
  WriteLocks first = Open("vm-1");
  WriteLocks second = Open("vm-2");
  whitelist::Whitelist list;
  ASSERT_TRUE(Do(&first, &list, {1, {}, {WritableGrant(1)}, {}, {}}));
  whitelist::Grant stale = WritableGrant(1);
  stale.stale = true;
  ASSERT_TRUE(Do(&first, &list, {2, {1}, {stale}, {}, {}}));
  whitelist::Whitelist other;
  EXPECT_FALSE(Do(&second, &other, {1, {}, {WritableGrant(1)}, {}, {}}));
  first = Open("vm-1");
  EXPECT_THAT(first.Restore(list), IsEmpty());
  EXPECT_TRUE(Do(&second, &other, {1, {}, {WritableGrant(1)}, {}, {}}));
}

TEST_F(Locks, AreGivenBackWhenTheChangeIsNotMade) {
  WriteLocks first = Open("vm-1");
  const whitelist::Whitelist list;
  {
    const auto abandoned = first.Prepare(list, {1, {}, {WritableGrant(1)}, {}, {}});
    ASSERT_TRUE(abandoned);
    EXPECT_THAT(fs::ListDirectory(directory_).value(), SizeIs(1));
  }
  EXPECT_THAT(fs::ListDirectory(directory_).value(), IsEmpty());
}

TEST_F(Locks, AreInADirectoryOfOurOwnOnly) {
  Open("vm-1");
  struct stat info{};
  ASSERT_EQ(::stat(directory_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700U);
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  const auto refused = WriteLocks::Open(directory_, "vm-1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kPermission);
  ASSERT_EQ(::chmod(directory_.c_str(), 0700), 0);
  ASSERT_EQ(::chown(directory_.c_str(), 65534, 65534), 0);
  EXPECT_FALSE(WriteLocks::Open(directory_, "vm-1"));
  EXPECT_FALSE(WriteLocks::Open(tree_.Symlink("link", tree_.Directory("target")), "vm-1"));
}

TEST_F(Locks, LeaveDescriptorsForServing) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{300, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const std::size_t capacity = WriteLockCapacity();
  whitelist::Whitelist list;
  WriteLocks locks = Open("vm-1");
  Result<void> given;
  std::size_t held = 0;
  while (given && held < 300) {
    whitelist::Grant grant = WritableGrant(held + 1);
    grant.path = CanonicalPath::Parse("/img/" + std::to_string(held)).value();
    grant.identity->ino = held + 1;
    given = Do(&locks, &list, {held + 1, {}, {grant}, {}, {}});
    held += given ? 1U : 0U;
  }
  EXPECT_EQ(held, capacity);
  EXPECT_EQ(given.error().code, ErrorCode::kLimit);
  EXPECT_THAT(given.error().Message(), HasSubstr("LimitNOFILE"));
  RaiseDescriptorLimit();
  rlimit raised{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &raised), 0);
  EXPECT_EQ(raised.rlim_cur, raised.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace openhook::server
