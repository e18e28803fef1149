// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The readers against images that the installed qemu-img makes, and the walk against what
// qemu-img info --backing-chain says of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/image/image_builder.h"
#include "tests/unit/image/real_images.h"

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

class RealChain : public RealImages {};

TEST_F(RealChain, RelativeAndAbsoluteNamesAcrossVersionsAndFormats) {
  std::filesystem::create_directory("sub");
  QemuImg("create -f raw base.raw 1M");
  QemuImg("create -f qed -b ../base.raw -F raw sub/low.qed");
  QemuImg("create -f qcow2 -o compat=0.10 -b sub/low.qed -F qed mid.qcow2");
  QemuImg(
      "create -f qcow2 -o compat=1.1,compression_type=zstd -b ../mid.qcow2 -F qcow2 sub/a.qcow2");
  QemuImg("create -f qcow2 -o extended_l2=on -b " + At("sub/a.qcow2") + " -F qcow2 top.qcow2");
  ExpectQemuAgrees("top.qcow2", 5);
  ExpectQemuAgrees(At("top.qcow2"), 5);
}

TEST_F(RealChain, JsonFileAndColonNames) {
  QemuImg("create -f qcow2 base.qcow2 1M");
  QemuImg("create -f qcow2 -b 'file:base.qcow2' -F qcow2 ./a:1");
  QemuImg("create -f qcow2 -b './a:1' -F qcow2 b.qcow2");
  QemuImg(R"(create -f qcow2 -F qcow2 top.qcow2 -b )"
          R"('json:{"driver":"qcow2","file":{"driver":"file","filename":"b.qcow2"}}')");
  ExpectQemuAgrees("top.qcow2", 4);
  QemuImg(R"(create -f qcow2 -F qcow2 dotted.qcow2 -b 'json:{"file.filename":"b.qcow2"}')");
  ExpectQemuAgrees("dotted.qcow2", 4);
}

TEST_F(RealChain, SmallestClusterFilledByABackingName) {
  // The longest name that qemu-img can still put into a first cluster of 512 bytes.
  std::string name;
  QemuImg("create -f raw base.raw 1M");
  for (std::size_t size = 500; size > 8 && name.empty(); --size) {
    const std::string candidate = std::string(size - 8, '/').replace(0, 1, ".") + "base.raw";
    if (std::system(("qemu-img create -f qcow2 -o cluster_size=512 -F raw -b " + candidate +
                     " top.qcow2 >/dev/null 2>&1")
                        .c_str()) == 0) {
      name = candidate;
    }
  }
  ASSERT_GT(name.size(), 100U);
  const auto header = ReadFile("top.qcow2", Format::kQcow2);
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->name, name);
  ExpectQemuAgrees("top.qcow2", 2);
}

TEST_F(RealChain, LongestBackingNameAndVirtualSize) {
  const std::string name = "./" + std::string(1023 - 10, '/') + "base.raw";
  QemuImg("create -f qcow2 -u -F raw -b " + name + " top.qcow2 12345856");
  const auto header = ReadFile("top.qcow2", Format::kQcow2);
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->name, name);
  EXPECT_EQ(header->virtual_size, 12345856U);
  QemuImg("create -f qed old.qed 7M");
  EXPECT_EQ(ReadFile("old.qed", Format::kQed)->virtual_size, 7U << 20);
}

TEST_F(RealChain, DataFilesOfBothLayoutsAndOfABackingFile) {
  QemuImg("create -f qcow2 -o data_file=" + At("base.data") + " base.qcow2 1M");
  QemuImg("create -f qcow2 -o data_file=" + At("top.data") + " -F qcow2 -b base.qcow2 top.qcow2");
  QemuImg("create -f qcow2 -o data_file=" + At("raw.data") + ",data_file_raw=on raw.qcow2 1M");
  const auto chain = Walk("top.qcow2");
  ASSERT_TRUE(chain) << chain.error().Message();
  ASSERT_EQ(chain->members.size(), 4U);
  EXPECT_EQ(chain->members[1].name, At("top.data"));
  EXPECT_EQ(chain->members[1].access, MemberAccess::kReadWrite);
  EXPECT_EQ(chain->members[3].name, At("base.data"));
  EXPECT_EQ(chain->members[3].access, MemberAccess::kRead);
  EXPECT_EQ(ReadFile("top.qcow2", Format::kQcow2)->data_file->layout, DataFileLayout::kManaged);
  EXPECT_EQ(ReadFile("raw.qcow2", Format::kQcow2)->data_file->layout, DataFileLayout::kRaw);
}

TEST_F(RealChain, EncryptedImagesAndBitmapsChangeNothing) {
  QemuImg("create -f qcow2 base.qcow2 1M");
  EncryptedQemuImg(
      "create -f qcow2 --object secret,id=s,data=x -o encrypt.format=luks,"
      "encrypt.key-secret=s,encrypt.iter-time=10 -F qcow2 -b base.qcow2 top.qcow2");
  QemuImg("bitmap --add base.qcow2 marks");
  const auto chain = Walk("top.qcow2");
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members.size(), 2U);
}

TEST_F(RealChain, TheRemedyForAnUndeclaredFormatWorks) {
  QemuImg("create -f qcow2 base.qcow2 1M");
  QemuImg("create -f qcow2 -b base.qcow2 -F qcow2 top.qcow2");
  // An old qemu-img did not write the extension: overwrite its type with an unknown one.
  std::fstream file("top.qcow2", std::ios::in | std::ios::out | std::ios::binary);
  const std::string header(std::istreambuf_iterator<char>(file), {});
  const std::size_t extension = header.find("\xe2\x79\x2a\xca");
  ASSERT_NE(extension, std::string::npos);
  file.seekp(static_cast<std::streamoff>(extension)).write("\1\2\3\4", 4);
  file.close();
  const auto refused = Walk("top.qcow2");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().context,
              HasSubstr("qemu-img rebase -u -F FORMAT -b 'base.qcow2' 'top.qcow2'"));
  QemuImg("rebase -u -F qcow2 -b 'base.qcow2' 'top.qcow2'");
  EXPECT_TRUE(Walk("top.qcow2"));
}

TEST_F(RealChain, ALoopThroughASymlinkIsFoundByIdentity) {
  QemuImg("create -f qcow2 a.qcow2 1M");
  QemuImg("create -f qcow2 -b a.qcow2 -F qcow2 b.qcow2");
  std::filesystem::create_symlink("b.qcow2", "link.qcow2");
  QemuImg("rebase -u -f qcow2 -b link.qcow2 -F qcow2 a.qcow2");
  const auto chain = Walk("b.qcow2");
  ASSERT_FALSE(chain);
  EXPECT_EQ(chain.error().code, ErrorCode::kConflict);
  EXPECT_THAT(chain.error().context,
              HasSubstr("backing file 'link.qcow2' of 'a.qcow2' is the same file as 'b.qcow2'"));
}

TEST_F(RealChain, ADirectoryIsNoDisk) {
  std::filesystem::create_directory("sub");
  QemuImg("create -u -f qcow2 -b sub -F raw top.qcow2 1M");
  EXPECT_THAT(Walk("top.qcow2").error().context,
              HasSubstr("'sub' of 'top.qcow2' is neither a regular file nor a block device"));
}

TEST_F(RealChain, TwoHundredFilesDeep) {
  for (int i = 0; i < 199; ++i) {
    Write("i" + std::to_string(i), Overlay("i" + std::to_string(i + 1), "qcow2"));
  }
  Write("i199", PlainQcow2());
  const auto chain = Walk("i0");
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members.back().depth, 199U);
  EXPECT_EQ(chain->members.size(), 200U);
}

}  // namespace
}  // namespace openhook::image
