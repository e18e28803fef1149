// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the program must not notice: restarts of the broker, the end of the notifier, a request that
// hangs, signals. And what must not stay: processes, descriptors.

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <future>
#include <iterator>
#include <thread>

#include "tests/unit/seccomp/notifier_test.h"

namespace openhook::seccomp {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing_support::ChildResult;
using testing_support::FakeReply;
using testing_support::Ok;

class EnduranceTest : public NotifierTest {
 protected:
  // Several signals come while it waits.
  void StartSlowly() {
    StartBroker([](const proto::Request&) {
      std::this_thread::sleep_for(2ms);
      return Ok("file");
    });
  }
};

constexpr const char* kNoFailure = "failures 0 errno 0\n";

std::ptrdiff_t DescriptorsOf(pid_t process) {
  std::error_code error;
  const auto begin =
      std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd", error);
  return std::distance(begin, std::filesystem::directory_iterator());
}

TEST_F(EnduranceTest, ThreadsAreServedBesideEachOtherAndNothingLeaks) {
  StartEcho();
  auto storm = ProbeMeanwhile({"storm", kImage, "1000", "6"});
  ASSERT_TRUE(broker_->AwaitRequests(500));
  const pid_t notifier = Notifier();
  ASSERT_GT(notifier, 0);
  const std::ptrdiff_t early = DescriptorsOf(notifier);
  ASSERT_TRUE(broker_->AwaitRequests(5500));
  const std::ptrdiff_t late = DescriptorsOf(notifier);
  // Each worker has a connection, and one file on its way.
  EXPECT_LE(late, early + 16);
  EXPECT_EQ(storm.get().out, kNoFailure);
}

TEST_F(EnduranceTest, ARequestThatHangsHoldsUpNoOtherAndItsThreadCanBeKilled) {
  std::promise<void> over;
  std::shared_future<void> released = over.get_future().share();
  StartBroker([released](const proto::Request& request) {
    if (request.open().path() == "/srv/hangs") {
      released.wait();
    }
    return Ok("file");
  });
  EXPECT_EQ(Probe({"killed-child", "/srv/hangs", "/srv/fast"}).out,
            "killed by 9, then ok 'file'\n");
  over.set_value();
}

TEST_F(EnduranceTest, SignalsNeitherShowNorRepeatARequest) {
  StartSlowly();
  EXPECT_EQ(Probe({"signals", kImage, "300", std::to_string(SA_RESTART)}).out, kNoFailure);
  EXPECT_EQ(broker_->Requests().size(), 300U);
}

// The kernel lets a call be interrupted for as long as nobody has taken its notification. That is
// the only case: what the broker was asked for arrives.
TEST_F(EnduranceTest, ASignalThatRestartsNothingInterruptsOnlyWhatWasNotAskedFor) {
  StartSlowly();
  const std::string words = Probe({"signals", kImage, "300", "0"}).out;
  int failures = -1;
  int last_errno = -1;
  ASSERT_EQ(std::sscanf(words.c_str(), "failures %d errno %d", &failures, &last_errno), 2) << words;
  EXPECT_TRUE(last_errno == 0 || last_errno == EINTR) << words;
  EXPECT_EQ(broker_->Requests().size(), 300U - static_cast<unsigned>(failures));
  EXPECT_LT(failures, 150) << "of some 1500 signals";
}

TEST_F(EnduranceTest, ARestartOfTheBrokerCostsNothingButTime) {
  StartEcho();
  auto storm = ProbeMeanwhile({"storm", kImage, "2000", "2"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(broker_->AwaitRequests(300));
    broker_.reset();
    std::this_thread::sleep_for(50ms);
    StartEcho();
  }
  EXPECT_EQ(storm.get().out, kNoFailure);
}

TEST_F(EnduranceTest, ABrokerThatStaysAwayIsEioAfterTheTimeThatIsSet) {
  StartBroker([](const proto::Request&) { return testing_support::Close(); });
  wait_ms_ = "200";
  const ChildResult result = Probe({"open", kImage, "0"});
  EXPECT_EQ(result.out, Word(EIO));
  EXPECT_THAT(result.err, HasSubstr("within 200 ms"));
}

TEST_F(EnduranceTest, ANotifierThatIsKilledIsReplacedAndTheProgramDoesNotNotice) {
  StartEcho();
  auto storm = ProbeMeanwhile({"storm", kImage, "3000", "2"});
  for (std::size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(broker_->AwaitRequests(i * 500));
    const pid_t notifier = Notifier();
    ASSERT_GT(notifier, 0);
    ASSERT_EQ(::kill(notifier, SIGKILL), 0);
  }
  EXPECT_EQ(storm.get().out, kNoFailure);
}

TEST_F(EnduranceTest, WhatAKilledNotifierHadInItsHandsIsDoneByTheNext) {
  std::atomic<int> asked = 0;
  std::promise<void> over;
  std::shared_future<void> released = over.get_future().share();
  StartBroker([&asked, released](const proto::Request&) {
    if (++asked == 1) {
      released.wait();
    }
    return Ok("file");
  });
  auto create = ProbeMeanwhile({"create", kImage, "022"});
  ASSERT_TRUE(broker_->AwaitRequests(1));
  ASSERT_EQ(::kill(Notifier(), SIGKILL), 0);
  EXPECT_EQ(create.get().out, "ok 'file'\n");
  over.set_value();
  const auto requests = broker_->Requests();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].open().token(), requests[1].open().token())
      << "the broker must know the file again that it has just made";
}

TEST_F(EnduranceTest, ACallThatCostThreeNotifiersGetsAnError) {
  std::promise<void> over;
  std::shared_future<void> released = over.get_future().share();
  StartBroker([released](const proto::Request&) {
    released.wait();
    return Ok("file");
  });
  auto open = ProbeMeanwhile({"open", kImage, "0"});
  for (std::size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(broker_->AwaitRequests(i));
    ASSERT_EQ(::kill(Notifier(), SIGKILL), 0);
  }
  EXPECT_EQ(open.get().out, Word(EIO));
  over.set_value();
}

TEST_F(EnduranceTest, TheKeeperOutlivesWhatEndsAService) {
  StartEcho();
  auto storm = ProbeMeanwhile({"storm", kImage, "2000", "2"});
  ASSERT_TRUE(broker_->AwaitRequests(200));
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    ASSERT_EQ(::kill(Keeper(), number), 0);
    ASSERT_EQ(::kill(Notifier(), number), 0);
  }
  EXPECT_EQ(storm.get().out, kNoFailure);
}

TEST_F(EnduranceTest, WithoutItsKeeperTheNotifierGoesOnToTheProgramsEnd) {
  StartEcho();
  auto storm = ProbeMeanwhile({"storm", kImage, "2000", "2"});
  ASSERT_TRUE(broker_->AwaitRequests(200));
  ASSERT_GT(Notifier(), 0);
  ASSERT_EQ(::kill(Keeper(), SIGKILL), 0);
  EXPECT_EQ(storm.get().out, kNoFailure);
  // That the notifier ends with its program is looked at after every test.
}

TEST_F(EnduranceTest, TheProgramHasNoChildAndNoSignalOfOne) {
  StartEcho();
  EXPECT_EQ(Probe({"children"}).out, "waitpid -1 errno 10 pending 0\n");
}

TEST_F(EnduranceTest, ChildrenOfTheProgramAreServedToo) {
  StartEcho();
  EXPECT_EQ(Probe({"execute", probe_, "open", kImage, "0"}).out,
            std::string("ok '") + kImage + "'\n");
}

TEST_F(EnduranceTest, ASecondListenerIsRefusedWithTheReason) {
  StartEcho();
  options_ = {"--readable", std::filesystem::path(LAUNCHER).parent_path()};
  probe_ = LAUNCHER;
  const ChildResult result = Probe({"--mode=seccomp", "--socket", socket_, "--", "/usr/bin/true"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("another seccomp listener is in force"));
}

}  // namespace
}  // namespace openhook::seccomp
