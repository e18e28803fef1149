// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Time of check, time of use: one thread swaps what is behind a granted name, another opens it
// 100,000 times in all. Whatever is granted must be the file that was granted, and nothing hangs.
// The whole process, and so the broker that it starts, has a mount namespace of its own.

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <ostream>

#include "tests/hostile/swapper.h"
#include "tests/support/broker_process.h"
#include "tests/support/raw_peer.h"

namespace openhook::hostile {
namespace {

using testing_support::Ask;
using testing_support::BrokerProcess;
using testing_support::ConnectGreeted;
using testing_support::OpenRequest;
using testing_support::RawPeer;

constexpr std::string_view kGrantedContent = "granted";
constexpr std::string_view kSecretContent = "secret!";

struct Row {
  Trick trick;
  const char* name;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

constexpr std::array<Row, 8> kRows = {{
    {Trick::kSymlink, "Symlink"},
    {Trick::kHardLink, "HardLink"},
    {Trick::kRename, "Rename"},
    {Trick::kFifo, "Fifo"},
    {Trick::kBindMount, "BindMount"},
    {Trick::kParentSymlink, "ParentSymlink"},
    {Trick::kParentRename, "ParentRename"},
    {Trick::kParentBindMount, "ParentBindMount"},
}};

// How many times its share of opens a row may take.
constexpr int kPatience = 50;

// In all rows together.
int TotalOpens() {
  const char* text = std::getenv("OPENHOOK_RACE_OPENS");
  return text == nullptr ? 100'000 : std::atoi(text);
}

void EnterOwnMountNamespace() {
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0) << "needs root";
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
}

class Race : public ::testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(EnterOwnMountNamespace());
    broker_ = std::make_unique<BrokerProcess>(OPENHOOKD);
    base_ = broker_->files();
    for (const char* name : {"/vm", "/evil"}) {
      ASSERT_EQ(::mkdir((base_ + name).c_str(), 0755), 0);
    }
    ASSERT_EQ(::symlink("vm", (base_ + "/alias").c_str()), 0);
    disk_ = broker_->WriteFile("vm/disk", std::string(kGrantedContent));
    broker_->WriteFile("evil/disk", std::string(kSecretContent));
    ASSERT_EQ(::stat(disk_.c_str(), &granted_), 0);
    broker_->Grant(disk_, proto::GRANT_ACCESS_READ_WRITE, {base_ + "/alias/disk"});
  }

  // A descriptor is the granted file's, by identity and by what can be read from it.
  void Check(const testing_support::OpenAnswer& answer) {
    if (answer.reply.outcome() != proto::OUTCOME_OK) {
      ASSERT_FALSE(answer.fd.IsValid());
      ASSERT_NE(answer.reply.sys_errno(), EINTR);
      ++refused_;
      return;
    }
    struct stat got{};
    ASSERT_EQ(::fstat(answer.fd.Get(), &got), 0);
    ASSERT_EQ(got.st_dev, granted_.st_dev);
    ASSERT_EQ(got.st_ino, granted_.st_ino);
    std::array<char, kGrantedContent.size()> content;
    ASSERT_EQ(::pread(answer.fd.Get(), content.data(), content.size(), 0),
              static_cast<ssize_t>(content.size()));
    ASSERT_EQ(std::string_view(content.data(), content.size()), kGrantedContent);
    ++opened_;
  }

  [[nodiscard]] bool MetBothStates() const { return opened_ > 0 && refused_ > 0; }

  std::unique_ptr<BrokerProcess> broker_;
  std::string base_;
  std::string disk_;
  struct stat granted_{};
  int opened_ = 0;
  int refused_ = 0;
};

TEST_P(Race, NeverYieldsAnotherFile) {
  const auto peer = ConnectGreeted(broker_->OpenSocket());
  ASSERT_TRUE(peer);
  const int opens = TotalOpens() / static_cast<int>(kRows.size());
  Swapper swapper(base_, GetParam().trick);
  // Where the kernel swaps slowly (unmounting waits for RCU) there are few swaps, and one state is
  // seldom met: then the race goes on until it was run, within a bound.
  const auto was_run = [&] { return MetBothStates() && swapper.swaps() > opens / 100; };
  for (int i = 0; (i < opens || !was_run()) && i < opens * kPatience && !HasFatalFailure(); ++i) {
    auto request = OpenRequest(i % 4 == 3 ? base_ + "/alias/disk" : disk_);
    request.mutable_open()->set_access(i % 2 == 0 ? proto::ACCESS_READ : proto::ACCESS_READ_WRITE);
    const auto answer = Ask(*peer, request);
    ASSERT_TRUE(answer) << "the broker hangs or has closed";
    Check(*answer);
  }
  swapper.Stop();
  EXPECT_TRUE(was_run()) << swapper.swaps() << " swaps, " << opened_ << " opened, " << refused_
                         << " refused";
  const auto answer = Ask(*peer, OpenRequest(disk_));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->reply.outcome(), proto::OUTCOME_OK) << "the granted file is back";
}

INSTANTIATE_TEST_SUITE_P(Swapping, Race, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace openhook::hostile
