// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A reader process and its parent, on real files. What a chain is, is tested with broker/image;
// here it has to come through.

#include "broker/chain/read_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "broker/chain/reader_process.h"
#include "broker/chain/reader_server.h"
#include "broker/sandbox/sanitized.h"
#include "tests/support/temp_tree.h"

namespace openhook::chain {
namespace {

using ::testing::HasSubstr;

// Calls `look` before it opens anything.
class LookingOpener final : public image::MemberOpener {
 public:
  explicit LookingOpener(std::function<void()> look) : look_(std::move(look)) {}
  Result<image::OpenedMember> Open(std::string_view spelling) override {
    look_();
    return opener_.Open(spelling);
  }

 private:
  std::function<void()> look_;
  PathOpener opener_{"/"};
};

std::map<std::string, std::string> StatusIn(const std::string& process) {
  std::ifstream file(process + "/status");
  std::map<std::string, std::string> status;
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(":\t");
    if (colon != std::string::npos) {
      status[line.substr(0, colon)] = line.substr(colon + 2);
    }
  }
  return status;
}

TEST(ReadChain, AVmdkOfManyExtentsComesThroughWhole) {
  const testing::TempTree tree;
  std::ostringstream descriptor;
  descriptor << "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
                "createType=\"twoGbMaxExtentFlat\"\n";
  constexpr int kExtents = 300;
  for (int i = 0; i < kExtents; ++i) {
    const std::string name = "extent-" + std::to_string(i) + ".vmdk";
    std::ofstream(tree.Path(name)) << std::string(512, 'x');
    descriptor << "RW 1 FLAT \"" << name << "\" 0\n";
  }
  std::ofstream(tree.Path("disk.vmdk")) << descriptor.str();
  const auto read = ReadChainOf(tree.Path("disk.vmdk"), "vmdk");
  ASSERT_TRUE(read) << read.error().Message();
  ASSERT_EQ(read->chain.members.size(), 1U + kExtents);
  for (const image::ChainMember& member : read->chain.members) {
    EXPECT_NE(read->opener.Find(member.path), nullptr);
  }
  EXPECT_EQ(read->chain.image_format, image::FormatSource::kDeclared);
}

TEST(ReadChain, WarningsAndProbedFormatsComeThrough) {
  const testing::TempTree tree;
  std::ofstream(tree.Path("disk")) << std::string(4096, 'r');
  const auto read = ReadChainOf(tree.Path("disk"), "");
  ASSERT_TRUE(read) << read.error().Message();
  EXPECT_EQ(read->chain.image_format, image::FormatSource::kProbed);
  EXPECT_FALSE(read->chain.warnings.empty());
}

TEST(ReadChain, ErrorsOfTheReaderAndOfTheOpenerComeThrough) {
  const testing::TempTree tree;
  const auto absent = ReadChainOf(tree.Path("absent"), "qcow2");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().Message(), HasSubstr(tree.Path("absent")));
  std::ofstream(tree.Path("disk")) << "no header";
  const auto malformed = ReadChainOf(tree.Path("disk"), "qcow2");
  ASSERT_FALSE(malformed);
  EXPECT_EQ(malformed.error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(ReadChainOf(tree.Path("disk"), "nonsense"));
}

TEST(ReadChain, HeadersAreParsedByAProcessWithoutRights) {
  ASSERT_EQ(::geteuid(), 0U) << "needs root: it looks at a process that is not dumpable";
  if (sandbox::kSanitized) {
    GTEST_SKIP() << "the sanitizer's run time needs what a reader gives up";
  }
  const testing::TempTree tree;
  std::ofstream(tree.Path("disk")) << std::string(4096, 'r');
  auto reader = ReaderProcess::Start(tree.Path("disk"), image::Format::kRaw);
  ASSERT_TRUE(reader);
  std::map<std::string, std::string> status;
  std::size_t descriptors = 0;
  LookingOpener opener([&] {
    const std::string process = "/proc/" + std::to_string(reader->pid());
    status = StatusIn(process);
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(process + "/fd")) {
      ++descriptors;
    }
  });
  ASSERT_TRUE(ReaderServer(&opener, reader->channel()).Serve());
  EXPECT_EQ(status["Name"], "openhook-reader");
  EXPECT_EQ(status["Seccomp"], "2");
  EXPECT_EQ(status["NoNewPrivs"], "1");
  EXPECT_EQ(status["CapEff"], "0000000000000000");
  EXPECT_EQ(status["CapPrm"], "0000000000000000");
  EXPECT_EQ(status["Uid"], "65534\t65534\t65534\t65534");
  EXPECT_EQ(descriptors, 1U) << "the socket to its parent";
}

TEST(ReadChain, AReaderThatIsKilledIsAnErrorThatSaysSo) {
  const testing::TempTree tree;
  std::ofstream(tree.Path("disk")) << std::string(4096, 'r');
  auto reader = ReaderProcess::Start(tree.Path("disk"), image::Format::kRaw);
  ASSERT_TRUE(reader);
  ::kill(reader->pid(), SIGKILL);
  PathOpener opener("/");
  const auto chain = ReaderServer(&opener, reader->channel()).Serve();
  ASSERT_FALSE(chain);
  EXPECT_THAT(chain.error().Message(), HasSubstr("reader of headers"));
}

}  // namespace
}  // namespace openhook::chain
