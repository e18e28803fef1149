// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <optional>
#include <vector>

#include "broker/base/limits.h"

namespace openhook::worker {
namespace {

// The job's text says what becomes of it.
Product Obey(std::span<const std::uint8_t> job) {
  const std::string text(job.begin(), job.end());
  while (text == "hang") {
    ::pause();
  }
  if (text == "die") {
    ::_exit(1);
  }
  return {"did " + text, std::nullopt};
}

class PoolTest : public ::testing::Test {
 protected:
  PoolTest() : pool_(loop_, {[] { return true; }, Obey}, std::chrono::seconds(1)) {}

  std::optional<Result<Finished>>* Ask(const std::string& job, std::uint64_t place = 1) {
    auto& answer = answers_.emplace_back(std::make_unique<std::optional<Result<Finished>>>());
    pool_.Submit({place, "/a", job, pool_.Deadline()},
                 [to = answer.get()](Result<Finished> given) { to->emplace(std::move(given)); });
    return answer.get();
  }
  void Await(std::optional<Result<Finished>>* answer) {
    pool_.RunUntil([answer] { return answer->has_value(); });
  }

  boost::asio::io_context loop_;
  Pool pool_;
  std::vector<std::unique_ptr<std::optional<Result<Finished>>>> answers_;
};

TEST_F(PoolTest, DoesJobsInOtherProcesses) {
  auto* answer = Ask("this");
  EXPECT_FALSE(*answer) << "never at once";
  Await(answer);
  EXPECT_EQ((**answer)->reply, "did this");
  EXPECT_EQ(pool_.counts().busy, 0U);
}

TEST_F(PoolTest, GivesAJobUpAtItsDeadline) {
  auto* answer = Ask("hang");
  Await(answer);
  EXPECT_EQ((*answer)->error().sys_errno, ETIMEDOUT);
  EXPECT_NE((*answer)->error().context.find("within 1 s"), std::string::npos);
  auto* next = Ask("this");
  Await(next);
  EXPECT_TRUE(**next);
}

TEST_F(PoolTest, OneFileSystemLeavesWorkersForTheOthers) {
  auto* first = Ask("hang");
  (void)Ask("hang");
  auto* third = Ask("this");
  auto* elsewhere = Ask("this", 2);
  Await(elsewhere);
  EXPECT_TRUE(**elsewhere);
  EXPECT_FALSE(*first);
  EXPECT_FALSE(*third) << "it waits for one of the two";
  EXPECT_EQ(pool_.counts().waiting, 1U);
}

TEST_F(PoolTest, AWorkerThatDiesFailsItsJobOnly) {
  auto* answer = Ask("die");
  Await(answer);
  EXPECT_EQ((*answer)->error().sys_errno, EIO);
  auto* next = Ask("this");
  Await(next);
  EXPECT_TRUE(**next);
}

TEST_F(PoolTest, RefusesWhatWouldWaitTooLong) {
  const std::size_t room = limits::kMaxWorkersPerFileSystem + limits::kMaxWaitingJobsPerFileSystem;
  for (std::size_t i = 0; i < room; ++i) {
    EXPECT_FALSE(*Ask("hang")) << i;
  }
  auto* answer = Ask("hang");
  ASSERT_TRUE(*answer);
  EXPECT_EQ((*answer)->error().sys_errno, EBUSY);
}

TEST_F(PoolTest, EndsWhileItsWorkersHang) {
  boost::asio::io_context loop;
  auto answered = false;
  {
    Pool pool(loop, {[] { return true; }, Obey}, std::chrono::seconds(60));
    pool.Submit({1, "/a", "hang", pool.Deadline()},
                [&](const Result<Finished>&) { answered = true; });
  }
  loop.run();
  EXPECT_FALSE(answered);
}

}  // namespace
}  // namespace openhook::worker
