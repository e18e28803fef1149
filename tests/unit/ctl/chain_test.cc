// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Reading a chain from real files, and making grants of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "broker/chain/chain_grants.h"
#include "broker/chain/path_opener.h"
#include "tests/unit/ctl/fake_broker.h"
#include "tests/unit/ctl/run_ctl.h"

namespace openhook::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ChainFiles : public testing::Test {
 protected:
  std::string Path(const std::string& name) { return directory_.path() + "/" + name; }
  std::string Write(const std::string& name, const std::string& content) {
    std::ofstream(Path(name), std::ios::binary) << content;
    return Path(name);
  }
  // A member as WalkChain() would return it, opened by opener_ under `spelling`.
  image::ChainMember Member(const std::string& spelling, std::size_t depth) {
    auto opened = opener_.Open(spelling);
    EXPECT_TRUE(opened);
    return {spelling,
            opened->path,
            opened->identity,
            image::Format::kRaw,
            depth == 0 ? image::MemberRole::kImage : image::MemberRole::kBacking,
            depth,
            image::MemberAccess::kRead};
  }
  TemporaryDirectory directory_;
  chain::PathOpener opener_{directory_.path()};
};

TEST_F(ChainFiles, AMemberIsReadThroughASymlinkUnderItsRealName) {
  const std::string real = Write("real", "bytes");
  ASSERT_EQ(::symlink("real", Path("link").c_str()), 0);
  const auto member = opener_.Open(Path("link"));
  ASSERT_TRUE(member) << member.error().Message();
  EXPECT_EQ(member->path.str(), real);
  EXPECT_EQ(member->identity.kind, image::MemberKind::kRegularFile);
  std::string content(5, '\0');
  EXPECT_EQ(member->bytes->ReadAt(0, content).value(), 5U);
  EXPECT_EQ(content, "bytes");
  struct stat info{};
  ASSERT_EQ(::stat(real.c_str(), &info), 0);
  EXPECT_EQ(member->identity.device, info.st_dev);
  EXPECT_EQ(member->identity.inode, info.st_ino);
}

TEST_F(ChainFiles, ARelativeNameBeginsAtTheWorkingDirectory) {
  const std::string path = Write("a", "");
  const auto member = opener_.Open("a");
  ASSERT_TRUE(member);
  EXPECT_EQ(member->path.str(), path);
}

TEST_F(ChainFiles, WhatIsNoDiskIsReportedUnopened) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  for (const std::string& path : {Path("fifo"), directory_.path(), std::string("/dev/null")}) {
    const auto member = opener_.Open(path);
    ASSERT_TRUE(member) << path;
    EXPECT_EQ(member->identity.kind, image::MemberKind::kOther);
    EXPECT_EQ(member->bytes, nullptr);
    EXPECT_EQ(opener_.Find(member->path), nullptr);
  }
}

TEST_F(ChainFiles, AMissingMemberIsNotFound) {
  const auto member = opener_.Open(Path("absent"));
  ASSERT_FALSE(member);
  EXPECT_EQ(member.error().code, ErrorCode::kNotFound);
}

TEST_F(ChainFiles, GrantsPinEachMemberAndKeepTheSpellingOfQemu) {
  Write("top", "");
  const std::string base = Write("base", "");
  ASSERT_EQ(::mkdir(Path("sub").c_str(), 0700), 0);
  image::Chain chain;
  chain.members = {Member(Path("top"), 0), Member(Path("sub/../base"), 1)};
  const auto request =
      chain::GrantsOfChain(chain, opener_, {proto::GRANT_ACCESS_READ_WRITE, "disk vda"});
  ASSERT_TRUE(request);
  ASSERT_EQ(request->grants_size(), 2);
  const proto::GrantSpec& top = request->grants(0);
  EXPECT_EQ(top.path(), Path("top"));
  EXPECT_THAT(top.aliases(), IsEmpty());
  EXPECT_EQ(top.access(), proto::GRANT_ACCESS_READ_WRITE);
  EXPECT_EQ(top.role(), "image");
  EXPECT_EQ(top.source(), "disk vda");
  const proto::GrantSpec& below = request->grants(1);
  EXPECT_EQ(below.path(), base);
  EXPECT_THAT(below.aliases(), ElementsAre(Path("sub/../base")));
  EXPECT_EQ(below.access(), proto::GRANT_ACCESS_READ);
  EXPECT_EQ(below.role(), "backing");
  EXPECT_EQ(below.depth(), 1U);
  struct stat info{};
  ASSERT_EQ(::stat(base.c_str(), &info), 0);
  EXPECT_EQ(below.expected_dev(), info.st_dev);
  EXPECT_EQ(below.expected_ino(), info.st_ino);
}

TEST_F(ChainFiles, ARelativeSpellingIsNoAlias) {
  Write("top", "");
  image::Chain chain;
  chain.members = {Member("top", 0)};
  const auto request = chain::GrantsOfChain(chain, opener_, {});
  ASSERT_TRUE(request);
  EXPECT_THAT(request->grants(0).aliases(), IsEmpty());
}

TEST_F(ChainFiles, AChainThatOnlyTheImageVouchesForIsNotGranted) {
  Write("top", "");
  Write("base", "");
  image::Chain chain;
  chain.members = {Member(Path("top"), 0), Member(Path("base"), 1)};
  EXPECT_TRUE(chain::CheckMayBeGranted(chain));
  chain.image_format = image::FormatSource::kProbed;
  const auto refused = chain::CheckMayBeGranted(chain);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().context, HasSubstr("--format raw"));
  chain.members.pop_back();
  EXPECT_TRUE(chain::CheckMayBeGranted(chain)) << "a lone image widens nothing";
}

TEST_F(ChainFiles, TheCommandPrintsARawImageInBothForms) {
  const std::string path = Write("disk.raw", std::string(512, '\0'));
  const CtlRun human = RunCtl({"chain", path, "--format", "raw"});
  EXPECT_EQ(human.status, kExitDone) << human.err;
  EXPECT_THAT(human.out, HasSubstr("0  image  raw     read-write  " + path));
  const CtlRun json = RunCtl({"chain", path, "--format", "raw", "--json"});
  EXPECT_EQ(json.out, "{\"images\":[{\"path\":\"" + path + "\",\"requested\":\"" + path +
                          "\",\"format\":\"raw\",\"depth\":0,\"role\":\"image\",\"access\":"
                          "\"read-write\"}],\"network\":[],\"warnings\":[],\"format_probed\":"
                          "false}\n");
}

TEST_F(ChainFiles, TheCommandListsTheExtentsOfADescriptor) {
  const std::string path = Write("disk.vmdk",
                                 "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                                 "createType=\"monolithicFlat\"\nRW 8 FLAT \"disk-flat\" 0\n");
  const std::string flat = Write("disk-flat", std::string(4096, '\0'));
  const CtlRun json = RunCtl({"chain", path, "--format", "vmdk", "--json"});
  EXPECT_EQ(json.status, kExitDone) << json.err;
  EXPECT_THAT(json.out, HasSubstr("{\"path\":\"" + flat + "\",\"requested\":\"" + flat +
                                  "\",\"format\":\"raw\",\"depth\":0,\"role\":\"extent\","
                                  "\"access\":\"read-write\"}"));
}

TEST_F(ChainFiles, TheCommandFailsWithNothingOnItsOutput) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"chain", Path("absent")},
        std::vector<std::string>{"chain", Path("absent"), "--json"},
        std::vector<std::string>{"chain", Write("a", ""), "--format", "vmdk5"},
        std::vector<std::string>{"chain", Write("b", "not qcow2"), "--format", "qcow2"},
        std::vector<std::string>{"chain", directory_.path(), "--format", "raw"}}) {
    const CtlRun run = RunCtl(arguments);
    EXPECT_EQ(run.status, kExitFailed);
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, HasSubstr("openhookctl: "));
  }
}

}  // namespace
}  // namespace openhook::ctl
