// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The parent of a reader that was broken by what it read, and says whatever it likes.

#include "broker/chain/reader_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

namespace openhook::chain {
namespace {

using ::testing::HasSubstr;

class Bytes final : public image::ByteSource {
 public:
  Result<std::size_t> ReadAt(std::uint64_t, std::span<char> buffer) const override {
    std::memset(buffer.data(), 'b', buffer.size());
    return buffer.size();
  }
};

// Every absolute name leads to a file of that name.
class AnyOpener final : public image::MemberOpener {
 public:
  Result<image::OpenedMember> Open(std::string_view spelling) override {
    auto path = CanonicalPath::Parse(std::string(spelling));
    if (!path) {
      return Fail(ErrorCode::kNotFound, "no such file");
    }
    return image::OpenedMember{std::move(*path),
                               {image::MemberKind::kRegularFile, 1, ++inode_},
                               std::make_unique<Bytes>()};
  }

 private:
  std::uint64_t inode_ = 0;
};

// What is said is said before anybody listens: it waits in the socket.
class BrokenReader : public ::testing::Test {
 protected:
  BrokenReader() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    parent_.emplace(UniqueFd(ends[0]));
    reader_.emplace(UniqueFd(ends[1]));
  }
  void Say(const proto::ReaderSays& said) { EXPECT_TRUE(reader_->Say(said)); }
  void SayOpen(const std::string& name) {
    proto::ReaderSays said;
    said.set_open(name);
    Say(said);
  }
  void SayMember(const std::string& name, const std::string& path, std::uint32_t format = 1) {
    proto::ReaderSays said;
    said.mutable_member()->set_name(name);
    said.mutable_member()->set_path(path);
    said.mutable_member()->set_format(format);
    Say(said);
  }
  void SayDone() {
    proto::ReaderSays said;
    said.mutable_done();
    Say(said);
  }
  Result<image::Chain> Serve() { return ReaderServer(&opener_, &*parent_).Serve(); }
  void ExpectNonsense(const std::string& word) {
    const auto chain = Serve();
    ASSERT_FALSE(chain);
    EXPECT_EQ(chain.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(chain.error().context, HasSubstr(word));
  }

  AnyOpener opener_;
  std::optional<ReaderChannel> parent_;
  std::optional<ReaderChannel> reader_;
};

TEST_F(BrokenReader, ThatIsHonestIsBelieved) {
  SayOpen("/a");
  SayMember("/a", "/a");
  SayDone();
  const auto chain = Serve();
  ASSERT_TRUE(chain) << chain.error().Message();
  ASSERT_EQ(chain->members.size(), 1U);
  EXPECT_EQ(chain->members[0].path.str(), "/a");
  EXPECT_EQ(chain->members[0].identity.inode, 1U);
}

TEST_F(BrokenReader, NamesNoMemberThatItDidNotOpen) {
  SayMember("/a", "/a");
  ExpectNonsense("did not open");
}

TEST_F(BrokenReader, GivesNoFileTheNameOfAnother) {
  SayOpen("/a");
  SayOpen("/b");
  SayMember("/a", "/b");
  ExpectNonsense("did not open");
}

TEST_F(BrokenReader, HasNoFormatThatDoesNotExist) {
  SayOpen("/a");
  SayMember("/a", "/a", 1000);
  ExpectNonsense("did not open");
}

TEST_F(BrokenReader, ReadsNothingThatWasNotOpenedForIt) {
  proto::ReaderSays said;
  said.mutable_read()->set_member(7);
  said.mutable_read()->set_size(1);
  Say(said);
  ExpectNonsense("not opened for it");
}

TEST_F(BrokenReader, ReadsNoMoreAtOnceThanAPacketHolds) {
  SayOpen("/a");
  proto::ReaderSays said;
  said.mutable_read()->set_member(1);
  said.mutable_read()->set_size(UINT32_MAX);
  Say(said);
  ExpectNonsense("not opened for it");
}

TEST_F(BrokenReader, ThatDiesIsNoEmptyChain) {
  reader_.reset();
  ExpectNonsense("died");
}

TEST_F(BrokenReader, WritesNoControlCharactersToATerminal) {
  proto::ReaderSays said;
  said.mutable_done()->mutable_error()->set_context("all is well\x1b[2J\nreally");
  Say(said);
  const auto chain = Serve();
  ASSERT_FALSE(chain);
  EXPECT_EQ(chain.error().context, "all is well\\x1b[2J\\x0areally");
}

TEST_F(BrokenReader, OpensNoMoreThanAChainMayHave) {
  bool answered = true;
  std::size_t opens = 0;
  std::thread flood([&] {
    for (; answered && opens < 10'000; ++opens) {
      proto::ReaderSays said;
      said.set_open("/a");
      proto::ReaderHears answer;
      answered = reader_->Say(said) && reader_->Hear(&answer);
    }
  });
  const auto chain = Serve();
  parent_.reset();
  flood.join();
  ASSERT_FALSE(chain);
  EXPECT_THAT(chain.error().context, HasSubstr("more files"));
  EXPECT_LT(opens, 10'000U);
}

TEST_F(BrokenReader, SaysNothingThatNobodyKnows) {
  proto::ReaderHears other;  // its field has a number that is known, and another type
  other.set_data("bytes");
  EXPECT_TRUE(reader_->Say(other));
  ExpectNonsense("nobody knows");
}

}  // namespace
}  // namespace openhook::chain
