// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/profile_keeper.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "broker/base/limits.h"
#include "tests/unit/server/fake_loader.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using whitelist::GrantAccess;
using List = FakeLoader::List;

class ProfileKeeperTest : public ::testing::Test {
 protected:
  ProfileKeeperTest() : loop_(1) {
    broker_.tree.Directory("run/" + broker_.options.vm);
    loader_.emplace(broker_.options.LoaderSocket());
    keeper_.emplace(loop_, broker_.get());
  }
  ~ProfileKeeperTest() override { keeper_.reset(); }

  // In step, with what is granted already.
  void Start() {
    keeper_->Start([this] { tried_ = true; });
    ASSERT_TRUE(Next());
    Accept();
    ASSERT_TRUE(tried_);
  }

  void Run() {
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(20));
  }
  // The next list that the broker sends.
  std::optional<List> Next() {
    for (int i = 0; i < 150; ++i) {
      Run();
      if (auto list = loader_->Take()) {
        return list;
      }
    }
    return std::nullopt;
  }
  bool NothingComes() {
    for (int i = 0; i < 20; ++i) {
      Run();
    }
    return !loader_->Take();
  }
  void Accept() {
    loader_->Answer(proto::LOADER_OUTCOME_IN_FORCE);
    Run();
  }

  // As the control plane does it; the words tell what came of it.
  void Grant(const std::string& path, GrantAccess access = GrantAccess::kReadWrite) {
    const auto wanted = std::make_shared<std::vector<WantedGrant>>(1);
    wanted->front().path = path;
    wanted->front().access = access;
    broker_->Resolve("domain", *wanted, [this, path, wanted](Broker::Resolved resolved) {
      const whitelist::WantedChain lease{"", "domain", false, {}};
      ChangeInStep(
          broker_.get(), [&] { return broker_->Preview(lease, resolved); },
          [this, wanted, resolved](const Result<void>& widened) {
            return broker_
                ->GrantResolved("domain", *wanted,
                                widened ? resolved : tl::make_unexpected(widened.error()), nullptr)
                .has_value();
          },
          Note("grant " + path));
    });
  }
  void Revoke(const std::string& path) {
    ChangeInStep(
        broker_.get(), [] { return whitelist::Change(); },
        [this, path](const Result<void>&) {
          return broker_->Revoke("domain", {path}, nullptr).has_value();
        },
        Note("revoke " + path));
  }
  KernelStep::Settled Note(const std::string& what) {
    return [this, what](const Result<void>& settled) {
      done_.push_back(what + (settled ? "" : ": " + settled.error().Message()));
    };
  }

  std::string File(const std::string& name) const { return broker_.tree.File("images/" + name); }
  bool IsGranted(const std::string& path) {
    return broker_->whitelist().Find(path).entry != nullptr;
  }

  boost::asio::io_context loop_;
  TestBroker broker_;
  std::optional<FakeLoader> loader_;
  std::optional<ProfileKeeper> keeper_;
  bool tried_ = false;
  std::vector<std::string> done_;
};

TEST_F(ProfileKeeperTest, LoadsTheWholeWhitelistAtTheStart) {
  const std::string a = File("a");
  const std::string b = File("b");
  keeper_.reset();
  ASSERT_TRUE(broker_.Give(a, GrantAccess::kReadWrite));
  ASSERT_TRUE(broker_.Give(b, GrantAccess::kRead));
  keeper_.emplace(loop_, broker_.get());
  keeper_->Start([this] { tried_ = true; });
  EXPECT_EQ(Next(), (List{{a, true}, {b, false}}));
  EXPECT_FALSE(tried_);
  EXPECT_FALSE(keeper_->state().in_step);
  Accept();
  EXPECT_TRUE(tried_);
  EXPECT_TRUE(keeper_->state().in_step);
  EXPECT_EQ(keeper_->state().rules, 2U);
  EXPECT_EQ(keeper_->state().revision, 7U);
}

TEST_F(ProfileKeeperTest, AGrantIsCommittedAfterTheKernelHasItAndThenAcknowledged) {
  Start();
  const std::string a = File("a");
  Grant(a);
  EXPECT_EQ(Next(), (List{{a, true}}));
  EXPECT_FALSE(IsGranted(a));
  EXPECT_TRUE(done_.empty());
  Accept();
  EXPECT_TRUE(IsGranted(a));
  EXPECT_EQ(done_, std::vector{"grant " + a});
  EXPECT_TRUE(NothingComes());
}

TEST_F(ProfileKeeperTest, ARevokeIsCommittedAtOnceAndAcknowledgedAfterTheKernelForgot) {
  Start();
  const std::string a = File("a");
  Grant(a);
  ASSERT_TRUE(Next());
  Accept();
  done_.clear();
  Revoke(a);
  EXPECT_FALSE(IsGranted(a));
  EXPECT_EQ(Next(), List());
  EXPECT_TRUE(done_.empty());
  Accept();
  EXPECT_EQ(done_, std::vector{"revoke " + a});
}

TEST_F(ProfileKeeperTest, FiftyChangesAtATimeCostTwoLoads) {
  Start();
  const int before = loader_->lists();
  for (int i = 0; i < 50; ++i) {
    Grant(File("disk" + std::to_string(i)));
  }
  EXPECT_EQ(Next()->size(), 1U);
  Accept();
  EXPECT_EQ(Next()->size(), 50U);
  EXPECT_EQ(done_.size(), 1U);
  Accept();
  EXPECT_EQ(done_.size(), 50U);
  EXPECT_TRUE(NothingComes());
  EXPECT_EQ(loader_->lists() - before, 2);
  for (int i = 0; i < 50; ++i) {
    Revoke(broker_.tree.Path("images/disk" + std::to_string(i)));
  }
  EXPECT_EQ(Next()->size(), 49U);
  Accept();
  EXPECT_EQ(Next(), List());
  Accept();
  EXPECT_EQ(done_.size(), 100U);
  EXPECT_EQ(loader_->lists() - before, 4);
}

TEST_F(ProfileKeeperTest, WhatCannotBeLoadedIsRefusedAndNothingIsChanged) {
  Start();
  const std::string a = File("a");
  Grant(a);
  ASSERT_TRUE(Next());
  loader_->Answer(proto::LOADER_OUTCOME_FAILED, "the parser says no");
  Run();
  EXPECT_FALSE(IsGranted(a));
  EXPECT_EQ(done_, std::vector{"grant " + a});
  const auto events = broker_->audit().Last(10);
  EXPECT_THAT(events.back().reason, HasSubstr("the parser says no"));
  EXPECT_EQ(events.back().outcome, audit::Outcome::kFail);
  // The kernel has what it had, so there is nothing to be loaded.
  EXPECT_TRUE(keeper_->state().in_step);
  EXPECT_TRUE(NothingComes());
}

TEST_F(ProfileKeeperTest, ARevokeIsNotRefusedForTheSakeOfAGrantInTheSameLoad) {
  Start();
  const std::string a = File("a");
  const std::string b = File("b");
  const std::string c = File("c");
  Grant(a);
  ASSERT_TRUE(Next());
  Accept();
  Grant(b);
  ASSERT_TRUE(Next());
  Grant(c);
  Revoke(a);
  Accept();
  EXPECT_EQ(Next(), (List{{b, true}, {c, true}}));
  done_.clear();
  loader_->Answer(proto::LOADER_OUTCOME_REFUSED, "not c");
  Run();
  EXPECT_EQ(done_, std::vector{"grant " + c});
  EXPECT_FALSE(IsGranted(c));
  EXPECT_EQ(Next(), (List{{b, true}}));
  Accept();
  EXPECT_THAT(done_, UnorderedElementsAre("grant " + b, "grant " + c, "revoke " + a));
}

TEST_F(ProfileKeeperTest, ARevokeThatTheKernelDoesNotFollowIsAnErrorAndIsTriedAgain) {
  Start();
  const std::string a = File("a");
  Grant(a);
  ASSERT_TRUE(Next());
  Accept();
  Revoke(a);
  ASSERT_TRUE(Next());
  loader_->Answer(proto::LOADER_OUTCOME_FAILED, "no memory");
  Run();
  EXPECT_THAT(done_.back(), HasSubstr("no memory"));
  EXPECT_FALSE(keeper_->state().in_step);
  EXPECT_THAT(keeper_->state().fault, HasSubstr("no memory"));
  EXPECT_EQ(Next(), List());
  Accept();
  EXPECT_TRUE(keeper_->state().in_step);
}

TEST_F(ProfileKeeperTest, WithoutALoaderNothingIsGrantedAndANewOneGetsTheWholeList) {
  Start();
  const std::string a = File("a");
  Grant(a);
  ASSERT_TRUE(Next());
  Accept();
  Grant(File("b"));
  ASSERT_TRUE(Next());
  loader_->HangUp();
  Run();
  EXPECT_EQ(done_.size(), 2U);
  EXPECT_FALSE(IsGranted(broker_.tree.Path("images/b")));
  // Connected again at once; after that nobody asked for anything.
  EXPECT_EQ(Next(), (List{{a, true}}));
  Accept();
  EXPECT_TRUE(keeper_->state().in_step);
}

TEST_F(ProfileKeeperTest, WhatOthersUndidIsRecorded) {
  Start();
  loader_->Tell(proto::LOADER_OUTCOME_PUT_RIGHT, "another program had replaced it");
  Run();
  EXPECT_THAT(broker_->audit().Last(1).back().reason, HasSubstr("another program had replaced it"));
  EXPECT_TRUE(keeper_->state().in_step);
  loader_->Tell(proto::LOADER_OUTCOME_NOT_PUT_RIGHT, "it cannot be put right");
  Run();
  EXPECT_FALSE(keeper_->state().in_step);
  // Tried again.
  EXPECT_TRUE(Next());
}

TEST_F(ProfileKeeperTest, WhatTheKernelShouldGiveIsLoadedAgainOnDemand) {
  const std::string a = File("a");
  ASSERT_TRUE(broker_.Give(a, GrantAccess::kReadWrite));
  Start();
  keeper_->Restore(Note("first"));
  keeper_->Restore(Note("second"));
  EXPECT_EQ(Next(), (List{{a, true}}));
  EXPECT_TRUE(done_.empty());
  Accept();
  EXPECT_THAT(done_, UnorderedElementsAre("first", "second"));
  EXPECT_TRUE(NothingComes());
}

TEST_F(ProfileKeeperTest, ItIsNotLoadedAgainOnEachDemand) {
  Start();
  keeper_->Restore(Note("first"));
  ASSERT_TRUE(Next());
  Accept();
  keeper_->Restore(Note("second"));
  EXPECT_THAT(done_, UnorderedElementsAre("first", HasSubstr("a moment ago")));
  EXPECT_TRUE(NothingComes());
}

TEST_F(ProfileKeeperTest, WhatTakesLongIsLoadedAgainTheMoreSeldom) {
  Start();
  keeper_->Restore(Note("first"));
  ASSERT_TRUE(Next());
  for (int i = 0; i < 25; ++i) {
    Run();
  }
  Accept();
  for (int i = 0; i < 20; ++i) {
    Run();
  }
  keeper_->Restore(Note("second"));
  EXPECT_THAT(done_, UnorderedElementsAre("first", HasSubstr("a moment ago")));
}

TEST_F(ProfileKeeperTest, ALongListGoesInSeveralPacketsAndPastTheLimitNothingIsSent) {
  Start();
  std::string deep = broker_.tree.Directory("images/d");
  // Of 250 bytes each; far below the limit of states, since they share their beginning.
  for (int i = 0; i < 12; ++i) {
    deep = broker_.tree.Directory(deep.substr(broker_.tree.root().size() + 1) + "/" +
                                  std::string(250, static_cast<char>('a' + i)));
  }
  std::vector<WantedGrant> wanted(60);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i].path =
        broker_.tree.File(deep.substr(broker_.tree.root().size() + 1) + "/" + std::to_string(i));
  }
  const int before = loader_->packets();
  ASSERT_TRUE(broker_->Grant("domain", wanted, nullptr));
  EXPECT_EQ(Next()->size(), 60U);
  EXPECT_GT(loader_->packets() - before, 2);
  Accept();
  EXPECT_TRUE(keeper_->state().in_step);

  whitelist::Change change;
  for (std::size_t i = 0; i <= limits::kMaxProfileStates / 200; ++i) {
    whitelist::Grant grant{
        .path = CanonicalPath::Parse("/" + std::to_string(i) + std::string(200, 'x')).value()};
    change.added.push_back(grant);
  }
  std::optional<Error> refused;
  keeper_->Widen(change, [&](const Result<std::shared_ptr<Widening>>& widened) {
    refused = widened ? std::nullopt : std::optional(widened.error());
  });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::kLimit);
  EXPECT_TRUE(NothingComes());
}

}  // namespace
}  // namespace openhook::server
