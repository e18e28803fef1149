// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/file_service.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "broker/base/limits.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

using whitelist::GrantAccess;
using whitelist::Rule;

class FileService : public ::testing::Test {
 protected:
  Answer UnlinkIt(const std::string& path) {
    return Now([&](AnswerDone done) { Unlink(broker_.asking(), {path, ""}, done); });
  }
  Answer StatIt(const std::string& path) {
    return Now([&](AnswerDone done) { Stat(broker_.asking(), {path, ""}, done); });
  }
  Answer AccessTo(const std::string& path, const whitelist::AskedAccess& asked) {
    return Now([&](AnswerDone done) { CheckAccess(broker_.asking(), {path, ""}, asked, done); });
  }
  Answer OpenIt(const std::string& path, Access access = Access::kRead) {
    OpenIntent intent;
    intent.access = access;
    return Now([&](AnswerDone done) { Open(broker_.asking(), {path, ""}, intent, done); });
  }
  Answer CreateIt(const std::string& path, bool exclusive = false, std::uint64_t token = 0) {
    OpenIntent intent;
    intent.access = Access::kReadWrite;
    intent.create = true;
    intent.exclusive = exclusive;
    intent.mode = 0640;
    intent.token = token;
    return Now([&](AnswerDone done) { Open(broker_.asking(), {path, ""}, intent, done); });
  }
  void ExpectDenied(const Answer& answer, Rule rule) {
    EXPECT_EQ(answer.kind, Answer::Kind::kDenied);
    EXPECT_EQ(TextOf(answer.rule).word, TextOf(rule).word);
    EXPECT_FALSE(answer.fd);
  }
  void ExpectFailed(const Answer& answer, int sys_errno) {
    EXPECT_EQ(answer.kind, Answer::Kind::kFailed);
    EXPECT_EQ(answer.sys_errno, sys_errno);
    EXPECT_FALSE(answer.fd);
  }
  std::string Image(const std::string& name) { return broker_.tree.Path("images/" + name); }

  TestBroker broker_;
};

TEST_F(FileService, OpensAGrantedFile) {
  const std::string file = broker_.tree.File("images/a", "data");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kRead));
  const Answer answer = OpenIt(file);
  ASSERT_EQ(answer.kind, Answer::Kind::kOk);
  EXPECT_EQ(testing::ReadAll(answer.fd->Get()), "data");
  EXPECT_EQ(answer.leases->front(), "domain");
  ExpectDenied(OpenIt(file, Access::kReadWrite), Rule::kReadOnlyGrant);
}

TEST_F(FileService, AnswersTheSameForForeignFilesWhetherTheyExistOrNot) {
  const std::string there = broker_.tree.File("images/foreign");
  for (const std::string& path : {there, Image("absent")}) {
    const Answer answer = OpenIt(path);
    ExpectDenied(answer, Rule::kNotWhitelisted);
    EXPECT_EQ(answer.sys_errno, EACCES);
    EXPECT_TRUE(answer.detail.empty());
  }
}

TEST_F(FileService, RefusesAFileThatChangedUnderItsName) {
  const std::string file = broker_.tree.File("images/a");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kRead));
  ASSERT_EQ(::unlink(file.c_str()), 0);
  ExpectFailed(OpenIt(file), ENOENT);
  broker_.tree.Symlink("images/a", "/etc/passwd");
  ExpectDenied(OpenIt(file), Rule::kIdentityChanged);
  ASSERT_EQ(::unlink(file.c_str()), 0);
  broker_.tree.File("images/a");
  ExpectDenied(OpenIt(file), Rule::kIdentityChanged);
}

TEST_F(FileService, RefusesAnAliasWhoseLinkWasTurned) {
  const std::string file = broker_.tree.File("images/a");
  const std::string link = broker_.tree.Symlink("images/link", "a");
  ASSERT_TRUE(broker_.Give(link, GrantAccess::kRead));
  EXPECT_EQ(OpenIt(link).kind, Answer::Kind::kOk);
  ASSERT_EQ(::unlink(link.c_str()), 0);
  broker_.tree.File("images/b");
  broker_.tree.Symlink("images/link", "b");
  ExpectDenied(OpenIt(link), Rule::kAliasChanged);
  EXPECT_EQ(OpenIt(file).kind, Answer::Kind::kOk);
}

TEST_F(FileService, CreatesUnderAGrantOfTheNameAndOwnsIt) {
  const std::string file = Image("new");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kCreate));
  ExpectFailed(OpenIt(file), ENOENT);
  ASSERT_EQ(CreateIt(file).kind, Answer::Kind::kOk);
  EXPECT_EQ(OpenIt(file, Access::kReadWrite).kind, Answer::Kind::kOk);
  broker_.Restart();
  EXPECT_EQ(OpenIt(file, Access::kReadWrite).kind, Answer::Kind::kOk);
  EXPECT_EQ(UnlinkIt(file).kind, Answer::Kind::kOk);
  EXPECT_NE(::access(file.c_str(), F_OK), 0);
  ExpectFailed(OpenIt(file), ENOENT);
  EXPECT_EQ(CreateIt(file).kind, Answer::Kind::kOk) << "the name is still granted";
}

TEST_F(FileService, CreatesInAGrantedDirectoryOnly) {
  ASSERT_TRUE(broker_.Give(broker_.tree.Directory("images/out"), GrantAccess::kCreate));
  EXPECT_EQ(CreateIt(Image("out/x")).kind, Answer::Kind::kOk);
  ExpectDenied(CreateIt(Image("x")), Rule::kNotWhitelisted);
  ExpectDenied(CreateIt(Image("out/y/z")), Rule::kNotWhitelisted);
}

TEST_F(FileService, AnExistingFileInAGrantedDirectoryStaysForeign) {
  ASSERT_TRUE(broker_.Give(broker_.tree.Directory("images/out"), GrantAccess::kCreate));
  const std::string foreign = broker_.tree.File("images/out/foreign", "secret");
  ExpectDenied(OpenIt(foreign), Rule::kAppeared);
  ExpectDenied(CreateIt(foreign), Rule::kAppeared);
  ExpectFailed(CreateIt(foreign, true), EEXIST);
  ExpectDenied(UnlinkIt(foreign), Rule::kAppeared);
  EXPECT_EQ(testing::ReadFile(foreign), "secret");
}

TEST_F(FileService, ARepeatedExclusiveCreateGetsItsFile) {
  const std::string file = Image("new");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kCreate));
  ASSERT_EQ(CreateIt(file, true, 42).kind, Answer::Kind::kOk);
  broker_.Restart();
  EXPECT_EQ(CreateIt(file, true, 42).kind, Answer::Kind::kOk);
  ExpectFailed(CreateIt(file, true, 43), EEXIST);
}

TEST_F(FileService, AVmMakesOnlySoManyFiles) {
  ASSERT_TRUE(broker_.Give(broker_.tree.Directory("images/out"), GrantAccess::kCreate));
  for (std::size_t i = 0; i < limits::kMaxCreatedFiles; ++i) {
    ASSERT_EQ(CreateIt(Image("out/" + std::to_string(i))).kind, Answer::Kind::kOk) << i;
  }
  ExpectFailed(CreateIt(Image("out/more")), EDQUOT);
  EXPECT_NE(::access(Image("out/more").c_str(), F_OK), 0);
  EXPECT_EQ(UnlinkIt(Image("out/7")).kind, Answer::Kind::kOk);
  EXPECT_EQ(CreateIt(Image("out/more")).kind, Answer::Kind::kOk);
}

TEST_F(FileService, AFileRemovedBehindOurBackCanBeMadeAnew) {
  const std::string file = Image("new");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kCreate));
  ASSERT_EQ(CreateIt(file).kind, Answer::Kind::kOk);
  ASSERT_EQ(::unlink(file.c_str()), 0);
  EXPECT_EQ(CreateIt(file).kind, Answer::Kind::kOk);
  EXPECT_EQ(OpenIt(file).kind, Answer::Kind::kOk);
}

TEST_F(FileService, ADirectoryThatWasSwappedTakesNoNewFiles) {
  const std::string dir = broker_.tree.Directory("images/out");
  ASSERT_TRUE(broker_.Give(dir, GrantAccess::kCreate));
  ASSERT_EQ(::rename(dir.c_str(), Image("moved").c_str()), 0);
  broker_.tree.Directory("images/out");
  ExpectDenied(CreateIt(Image("out/x")), Rule::kIdentityChanged);
  EXPECT_NE(::access(Image("out/x").c_str(), F_OK), 0);
}

TEST_F(FileService, StatAndAccessAnswerForGrantedFiles) {
  const std::string file = broker_.tree.File("images/a", "1234");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kRead));
  const Answer answer = StatIt(file);
  ASSERT_TRUE(answer.attributes);
  EXPECT_EQ(answer.attributes->st_size, 4);
  EXPECT_EQ(AccessTo(file, {true, false, false}).kind, Answer::Kind::kOk);
  ExpectDenied(AccessTo(file, {true, true, false}), Rule::kReadOnlyGrant);
  ExpectDenied(StatIt("/etc/shadow"), Rule::kNotWhitelisted);
}

TEST_F(FileService, OnlyOwnFilesAreRemoved) {
  const std::string file = broker_.tree.File("images/a");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kReadWrite));
  ExpectDenied(UnlinkIt(file), Rule::kUnlinkNotOwn);
  EXPECT_EQ(::access(file.c_str(), F_OK), 0);
}

TEST_F(FileService, ExplainingChangesNothing) {
  const std::string file = Image("new");
  ASSERT_TRUE(broker_.Give(file, GrantAccess::kCreate));
  OpenIntent intent;
  intent.create = true;
  intent.access = Access::kReadWrite;
  const Answer answer =
      Now([&](AnswerDone done) { ExplainOpen(broker_.asking(), {file, ""}, intent, done); });
  EXPECT_EQ(answer.kind, Answer::Kind::kOk);
  EXPECT_NE(::access(file.c_str(), F_OK), 0);
}

TEST_F(FileService, OpensCharacterDevicesAndFifos) {
  ASSERT_TRUE(broker_.Give("/dev/zero", GrantAccess::kReadWrite));
  EXPECT_EQ(OpenIt("/dev/zero", Access::kReadWrite).kind, Answer::Kind::kOk);
  const std::string fifo = broker_.tree.Fifo("images/pipe");
  ASSERT_TRUE(broker_.Give(fifo, GrantAccess::kReadWrite));
  EXPECT_EQ(OpenIt(fifo, Access::kReadWrite).kind, Answer::Kind::kOk);
}

}  // namespace
}  // namespace openhook::server
