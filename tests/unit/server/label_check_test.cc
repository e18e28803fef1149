// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Where the server asks its back end for labels, and what follows from the answer. The back end is
// the test's own; what a kernel says is tested in tests/lsm.

#include "broker/server/label_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "broker/server/kernel_step.h"
#include "broker/server/open_handler.h"
#include "proto/openhook.pb.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

using label::FileUse;
using label::FileUses;
using ::testing::HasSubstr;

// What the fake module says, and what it was asked.
struct Script {
  std::string changed_to;  // not empty: the label that peers have by now
  std::map<std::string, FileUses> allowed;
  std::vector<std::pair<std::string, FileUses>> asked;
};

class ScriptedPeer : public label::PeerLabel {
 public:
  explicit ScriptedPeer(Script* script) : script_(script) {}
  [[nodiscard]] const std::string& text() const override { return text_; }
  [[nodiscard]] Result<void> Confirm() const override {
    return script_->changed_to.empty()
               ? Result<void>()
               : Fail(ErrorCode::kPermission, "the peer is now " + script_->changed_to);
  }
  [[nodiscard]] Result<void> MayUse(std::string_view path, FileUses uses) const override {
    script_->asked.emplace_back(path, uses);
    const FileUses missing = uses.Without(script_->allowed[std::string(path)]);
    return missing.Empty() ? Result<void>()
                           : Fail(ErrorCode::kPermission,
                                  "vm1 lacks " + missing.Text() + " on " + std::string(path));
  }

 private:
  Script* script_;
  std::string text_ = "vm1 (enforce)";
};

class ScriptedBackEnd : public label::BackEnd {
 public:
  explicit ScriptedBackEnd(Script* script) : script_(script) {}
  [[nodiscard]] const label::Level& level() const override { return level_; }
  [[nodiscard]] std::unique_ptr<label::PeerLabel> Identify(
      const label::PeerEvidence&) const override {
    return Demanded();
  }
  [[nodiscard]] std::unique_ptr<label::PeerLabel> Demanded() const override {
    return std::make_unique<ScriptedPeer>(script_);
  }

 private:
  Script* script_;
  label::Level level_;
};

class LabelCheckTest : public ::testing::Test {
 protected:
  LabelCheckTest() {
    broker_->CheckLabels(std::make_unique<ScriptedBackEnd>(&script_));
    peer_ = broker_->labels().Demanded();
  }
  Asking asking() { return {broker_.get(), peer_.get()}; }
  Answer AskOpen(const std::string& path, const OpenIntent& intent) {
    return Now([&](AnswerDone done) { Open(asking(), {path, ""}, intent, done); });
  }
  static std::string ContentOf(const std::string& path) {
    std::string text;
    std::getline(std::ifstream(path), text);
    return text;
  }

  Script script_;
  TestBroker broker_;
  std::unique_ptr<label::PeerLabel> peer_;
};

TEST_F(LabelCheckTest, AGrantedFileThatTheProfileLacksIsDeniedWithLabelPathAndUse) {
  const std::string file = broker_.tree.File("images/a", "x");
  ASSERT_TRUE(broker_.Give(file, whitelist::GrantAccess::kReadWrite));
  script_.allowed[file] = {FileUse::kRead};
  EXPECT_EQ(AskOpen(file, {.access = Access::kRead}).kind, Answer::Kind::kOk);
  const Answer denied = AskOpen(file, {.access = Access::kReadWrite});
  EXPECT_EQ(denied.kind, Answer::Kind::kDenied);
  EXPECT_EQ(denied.rule, whitelist::Rule::kLabelDenies);
  EXPECT_EQ(denied.sys_errno, EACCES);
  EXPECT_EQ(denied.detail, "vm1 lacks write on " + file);
  ASSERT_TRUE(denied.leases) << "the audit log names the lease that gave it";
}

TEST_F(LabelCheckTest, TheFilesOwnNameIsAskedNotTheClients) {
  const std::string file = broker_.tree.File("images/a", "x");
  const std::string link = broker_.tree.Path("images/link");
  std::filesystem::create_symlink(file, link);
  ASSERT_TRUE(broker_.Give(link, whitelist::GrantAccess::kRead));
  script_.allowed[file] = {FileUse::kRead};
  EXPECT_EQ(AskOpen(link, {.access = Access::kRead}).kind, Answer::Kind::kOk);
  ASSERT_EQ(script_.asked.size(), 1U);
  EXPECT_EQ(script_.asked[0].first, file);
}

TEST_F(LabelCheckTest, WhatTheWhitelistDeniesIsNotAsked) {
  const std::string file = broker_.tree.File("images/a", "x");
  EXPECT_EQ(AskOpen(file, {.access = Access::kRead}).rule, whitelist::Rule::kNotWhitelisted);
  EXPECT_TRUE(script_.asked.empty());
}

TEST_F(LabelCheckTest, NothingIsEmptiedMadeOrRemovedBeforeTheProfileAllowsIt) {
  const std::string file = broker_.tree.File("images/a", "x");
  ASSERT_TRUE(broker_.Give(file, whitelist::GrantAccess::kCreate));
  script_.allowed[file] = {FileUse::kRead};
  EXPECT_EQ(AskOpen(file, {.access = Access::kReadWrite, .truncate = true}).rule,
            whitelist::Rule::kLabelDenies);
  EXPECT_EQ(ContentOf(file), "x");

  const std::string made = broker_.tree.Path("images/new");
  ASSERT_TRUE(broker_.Give(made, whitelist::GrantAccess::kCreate));
  const OpenIntent make{.access = Access::kReadWrite, .create = true, .mode = 0600};
  script_.allowed[made] = {FileUse::kRead, FileUse::kWrite};
  EXPECT_EQ(AskOpen(made, make).detail, "vm1 lacks create on " + made);
  EXPECT_FALSE(std::filesystem::exists(made));
  script_.allowed[made].Add(FileUse::kCreate);
  EXPECT_EQ(AskOpen(made, make).kind, Answer::Kind::kOk);

  const Answer kept = Now([&](AnswerDone done) { Unlink(asking(), {made, ""}, done); });
  EXPECT_EQ(kept.rule, whitelist::Rule::kLabelDenies);
  EXPECT_TRUE(std::filesystem::exists(made));
  script_.allowed[made].Add(FileUse::kDelete);
  const Answer removed = Now([&](AnswerDone done) { Unlink(asking(), {made, ""}, done); });
  EXPECT_EQ(removed.kind, Answer::Kind::kOk);
}

// A kernel whose profile another program has replaced, until it is restored.
class ScriptedKernel : public KernelStep {
 public:
  void Widen(const whitelist::Change&, Widened done) override { done(std::shared_ptr<Widening>()); }
  void Settle(Settled done) override { done({}); }
  void Restore(Settled done) override {
    ++restored;
    restore();
    done(result);
  }
  void Follow() override {}

  int restored = 0;
  std::function<void()> restore = [] {};
  Result<void> result;
};

class ReplacedProfileTest : public LabelCheckTest {
 protected:
  ReplacedProfileTest() {
    EXPECT_TRUE(broker_.Give(file_, whitelist::GrantAccess::kReadWrite));
    broker_->KeepInStep(&kernel_);
  }
  ~ReplacedProfileTest() override { broker_->KeepInStep(nullptr); }

  const std::string file_ = broker_.tree.File("images/a", "x");
  const OpenIntent write_{.access = Access::kReadWrite};
  ScriptedKernel kernel_;
};

TEST_F(ReplacedProfileTest, TheProfileIsRestoredAndTheFileAskedForOnceMore) {
  kernel_.restore = [&] { script_.allowed[file_] = {FileUse::kRead, FileUse::kWrite}; };
  EXPECT_EQ(AskOpen(file_, write_).kind, Answer::Kind::kOk);
  EXPECT_EQ(AskOpen(file_, write_).kind, Answer::Kind::kOk);
  EXPECT_EQ(kernel_.restored, 1);
}

TEST_F(ReplacedProfileTest, AProfileThatRefusesAsRestoredRefuses) {
  EXPECT_EQ(AskOpen(file_, write_).rule, whitelist::Rule::kLabelDenies);
  EXPECT_EQ(kernel_.restored, 1);
}

TEST_F(ReplacedProfileTest, AProfileThatCannotBeRestoredRefuses) {
  kernel_.result = Fail(ErrorCode::kUnavailable, "no loader");
  kernel_.restore = [&] { script_.allowed[file_] = {FileUse::kRead, FileUse::kWrite}; };
  const Answer answer = AskOpen(file_, write_);
  EXPECT_EQ(answer.rule, whitelist::Rule::kLabelDenies);
  EXPECT_THAT(answer.detail, HasSubstr("vm1 lacks"));
}

TEST_F(ReplacedProfileTest, AFileThatIsTakenBackMeanwhileIsRefusedByTheWhitelist) {
  kernel_.restore = [&] { ASSERT_TRUE(broker_->Revoke("domain", {file_}, nullptr)); };
  EXPECT_EQ(AskOpen(file_, write_).rule, whitelist::Rule::kNotWhitelisted);
}

TEST_F(LabelCheckTest, AppendingAsksForAppendAsTheKernelDoes) {
  EXPECT_EQ(UsesOf(OpenIntent{.access = Access::kWrite, .append = true}),
            FileUses{FileUse::kAppend});
  EXPECT_EQ(UsesOf(OpenIntent{.access = Access::kReadWrite}),
            (FileUses{FileUse::kRead, FileUse::kWrite}));
  EXPECT_EQ(UsesOf(OpenIntent{.access = Access::kWrite, .append = true, .truncate = true}),
            (FileUses{FileUse::kAppend, FileUse::kWrite}));
}

TEST_F(LabelCheckTest, ExplainAndAccessAnswerAsOpenWould) {
  const std::string file = broker_.tree.File("images/a", "x");
  ASSERT_TRUE(broker_.Give(file, whitelist::GrantAccess::kReadWrite));
  script_.allowed[file] = {FileUse::kRead};
  const OpenIntent write{.access = Access::kReadWrite};
  const Answer explained =
      Now([&](AnswerDone done) { ExplainOpen(asking(), {file, ""}, write, done); });
  EXPECT_EQ(explained.rule, whitelist::Rule::kLabelDenies);
  EXPECT_EQ(explained.detail, "vm1 lacks write on " + file);
  const Answer access = Now([&](AnswerDone done) {
    CheckAccess(asking(), {file, ""}, {.read = true, .write = true}, done);
  });
  EXPECT_EQ(access.rule, whitelist::Rule::kLabelDenies);
}

TEST_F(LabelCheckTest, APeerThatChangedItsLabelIsToldRecordedAndDropped) {
  const auto handler =
      MakeOpenHandler(broker_.get(), Peer{1, broker_.options.vm_uid, 0, {}, {}, {}});
  AfterReply after = AfterReply::kContinue;
  const auto ask = [&](const proto::Request& request) {
    proto::Reply reply;
    const std::string bytes = request.SerializeAsString();
    handler->Handle({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                    [&](const Reaction& reaction) {
                      after = reaction.after;
                      reply.ParseFromString(reaction.reply);
                    });
    return reply;
  };
  proto::Request hello;
  hello.mutable_hello()->set_min_version(1);
  hello.mutable_hello()->set_max_version(1);
  ASSERT_EQ(ask(hello).outcome(), proto::OUTCOME_OK);

  script_.changed_to = "unconfined";
  proto::Request stat;
  stat.mutable_stat()->set_path("/a");
  const proto::Reply refused = ask(stat);
  EXPECT_EQ(refused.outcome(), proto::OUTCOME_DENIED);
  EXPECT_THAT(refused.reason(), HasSubstr("the peer is now unconfined"));
  EXPECT_EQ(after, AfterReply::kClose);
  const audit::Event event = broker_->audit().Last(1)[0];
  EXPECT_EQ(event.operation, audit::Operation::kConnect);
  EXPECT_EQ(event.outcome, audit::Outcome::kDeny);
  EXPECT_EQ(event.subject->label, "vm1 (enforce)") << "as it was when it connected";
}

}  // namespace
}  // namespace openhook::server
