// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the broker makes of libvirt's announcements, with real images whose headers a QEMU has
// rewritten.

#include "broker/server/feed.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/idler.h"
#include "tests/unit/server/test_broker.h"

namespace openhook::server {
namespace {

constexpr const char* kDisk = "device:vda";

// A process of the VM that has files open.
class Holder {
 public:
  Holder(Broker* broker, const std::vector<std::pair<std::string, int>>& files)
      : process_([&] {
          return std::all_of(files.begin(), files.end(), [](const auto& file) {
            return ::open(file.first.c_str(), file.second) >= 0;
          });
        }) {
    EXPECT_TRUE(process_.set_up());
    broker->AddSession(process_.pid());
  }

 private:
  testing::Idler process_;
};

// vda: images/top -> images/mid -> images/base, and elsewhere/secret, which no VM has.
class FeedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    broker_.tree.Directory("elsewhere");
    Create("images/base", "");
    Create("images/mid", Backing("images/base"));
    Create("images/top", Backing("images/mid"));
    secret_ = broker_.tree.File("elsewhere/secret", std::string(1U << 20, 's'));
    std::vector<WantedGrant> chain = {Wanted("images/top", 0), Wanted("images/mid", 1),
                                      Wanted("images/base", 2)};
    ASSERT_TRUE(broker_->GrantChain({"vda", kDisk, true}, chain, nullptr));
  }

  void Create(const std::string& name, const std::string& options) const {
    const std::string made = "qemu-img create -q -f qcow2 " + options + " " + Path(name) + " 1M";
    ASSERT_EQ(std::system(made.c_str()), 0) << made;
  }
  [[nodiscard]] std::string Path(const std::string& name) const { return broker_.tree.Path(name); }
  [[nodiscard]] std::string Backing(const std::string& name) const {
    return "-u -F qcow2 -b " + Path(name);
  }
  [[nodiscard]] std::string Data(const std::string& name) const {
    return "-o data_file=" + Path(name);
  }
  [[nodiscard]] WantedGrant Wanted(const std::string& name, std::uint32_t depth) const {
    WantedGrant wanted;
    wanted.path = Path(name);
    wanted.access = depth == 0 ? whitelist::GrantAccess::kReadWrite : whitelist::GrantAccess::kRead;
    wanted.format = "qcow2";
    wanted.role = depth == 0 ? "image" : "backing";
    wanted.depth = depth;
    return wanted;
  }

  // The header of `victim` says from now on what `options` say; the file is the same.
  void Rewrite(const std::string& victim, const std::string& options) const {
    Create("elsewhere/crafted", options);
    const std::string copied =
        "dd status=none conv=notrunc bs=64k count=1 if=" + Path("elsewhere/crafted") +
        " of=" + Path(victim);
    ASSERT_EQ(std::system(copied.c_str()), 0) << copied;
  }

  Result<void> Announce(proto::AnnouncementKind kind, const std::string& name, bool write = false) {
    proto::Announcement announcement;
    announcement.set_kind(kind);
    announcement.set_path(Path(name));
    announcement.set_write(write);
    std::optional<Result<void>> answer;
    feed_.Take(announcement, nullptr, [&answer](const Result<void>& taken) { answer = taken; });
    return answer ? *answer : Fail(ErrorCode::kUnavailable, "no answer came");
  }
  Result<void> Acquire(const std::string& name, bool write = true) {
    return Announce(proto::ANNOUNCEMENT_KIND_ACQUIRED, name, write);
  }
  Result<void> Release(const std::string& name) {
    return Announce(proto::ANNOUNCEMENT_KIND_RELEASED, name);
  }

  [[nodiscard]] std::string Active(const std::string& disk) {
    return broker_->whitelist().chains().at(disk).images.front().path.str();
  }

  // "rw", "r" or "-".
  [[nodiscard]] std::string Access(const std::string& name) {
    const whitelist::Entry* entry = broker_->whitelist().Find(Path(name)).entry;
    return entry == nullptr || entry->ended ? "-" : entry->writable ? "rw" : "r";
  }

  TestBroker broker_;
  boost::asio::io_context loop_;
  Feed feed_{loop_, broker_.get()};
  std::string secret_;
};

TEST_F(FeedTest, AShorterChainBringsNoDataFile) {
  Rewrite("images/top", Data("elsewhere/secret"));
  EXPECT_TRUE(Release("images/mid"));
  EXPECT_EQ(Access("elsewhere/secret"), "-");
}

TEST_F(FeedTest, AShorterChainIsFollowed) {
  Rewrite("images/top", Backing("images/base"));
  EXPECT_TRUE(Release("images/mid"));
  EXPECT_EQ(Access("images/mid"), "-");
  EXPECT_EQ(Access("images/base"), "r");
}

TEST_F(FeedTest, ANewOverlayDoesNotMakeItsBackingFileADataFile) {
  broker_.tree.File("images/new");
  ASSERT_TRUE(Acquire("images/new"));
  EXPECT_EQ(Access("images/new"), "rw");
  Rewrite("images/new", Data("images/base"));
  EXPECT_TRUE(Acquire("images/top"));
  EXPECT_TRUE(Release("images/mid"));
  EXPECT_EQ(Access("images/base"), "r");
}

TEST_F(FeedTest, ANewOverlayLeadsNowhereElse) {
  broker_.tree.File("images/new");
  ASSERT_TRUE(Acquire("images/new"));
  Rewrite("images/new", "-u -F raw -b " + secret_);
  EXPECT_TRUE(Release("images/mid"));
  EXPECT_EQ(Access("elsewhere/secret"), "-");
}

TEST_F(FeedTest, AnAttachedImageWithADataFileBesideItIsRefused) {
  broker_.tree.File("images/template", std::string(1U << 20, 't'));
  Create("images/attached", "");
  Rewrite("images/attached", Data("images/template"));
  EXPECT_FALSE(Acquire("images/attached"));
  EXPECT_EQ(Access("images/template"), "-");
}

TEST_F(FeedTest, AnOverlayBecomesTheDiskWhenWhatIsBelowIsReleased) {
  broker_.tree.File("images/new");
  ASSERT_TRUE(Acquire("images/new"));
  Rewrite("images/new", Backing("images/top"));
  const Holder holder(broker_.get(),
                      {{Path("images/new"), O_RDWR}, {Path("images/top"), O_RDONLY}});
  ASSERT_TRUE(Release("images/top"));
  EXPECT_EQ(Active("vda"), Path("images/new"));
  EXPECT_EQ(Access("images/top"), "r");
}

// QEMU has such a node when libvirtd was killed between its making and its use.
TEST_F(FeedTest, AnOverlayThatWasNeverUsedIsNotTheDiskWhenACommitHasPivoted) {
  broker_.tree.File("images/new");
  ASSERT_TRUE(Acquire("images/new"));
  Rewrite("images/new", Backing("images/top"));
  ASSERT_TRUE(Acquire("images/mid"));
  const Holder holder(broker_.get(), {{Path("images/new"), O_RDWR}, {Path("images/mid"), O_RDWR}});
  ASSERT_TRUE(Release("images/top"));
  EXPECT_EQ(Active("vda"), Path("images/mid"));
  EXPECT_EQ(Access("images/mid"), "rw");
}

// While another image has no header yet, a release may be that of a snapshot.
TEST_F(FeedTest, ADiskThatComesBackAtOnceStays) {
  broker_.tree.File("images/unwritten");
  ASSERT_TRUE(Acquire("images/unwritten"));
  ASSERT_TRUE(Release("images/top"));
  ASSERT_TRUE(Acquire("images/top"));
  loop_.run_for(std::chrono::milliseconds(3500));
  EXPECT_EQ(Access("images/top"), "rw");
}

TEST_F(FeedTest, AHeaderThatWasRewrittenBeforeAStartIsComparedWithTheLastRun) {
  ASSERT_TRUE(Announce(proto::ANNOUNCEMENT_KIND_ENDED, "images/top"));
  EXPECT_EQ(Access("images/top"), "-");
  std::vector<WantedGrant> chain = {Wanted("images/top", 0), Wanted("elsewhere/secret", 1)};
  EXPECT_FALSE(broker_->GrantChain({"vda", kDisk, true}, chain, nullptr));
  chain.back() = Wanted("images/mid", 1);
  EXPECT_TRUE(broker_->GrantChain({"vda", kDisk, true}, chain, nullptr));
  EXPECT_EQ(Access("images/top"), "rw");
}

}  // namespace
}  // namespace openhook::server
