// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/qed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fuzz/memory_members.h"
#include "tests/unit/image/image_builder.h"

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

Result<Header> Read(const std::string& bytes) {
  const MemorySource source(bytes);
  ByteWindow window(source);
  return ReadQed(window);
}

TEST(Qed, ReadsAnImageWithoutABackingFile) {
  const auto header = Read(QedImage{.image_size = 777}.Bytes());
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->virtual_size, 777U);
  EXPECT_FALSE(header->backing);
}

TEST(Qed, TheNoProbeBitDeclaresRaw) {
  const auto header = Read(QedImage{.features = 5, .backing = "base.img"}.Bytes());
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->name, "base.img");
  EXPECT_EQ(header->backing->format, "raw");
}

TEST(Qed, WithoutTheNoProbeBitNothingIsDeclared) {
  const auto header = Read(QedImage{.features = 3, .backing = "base.img"}.Bytes());
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->format, std::nullopt);
}

TEST(Qed, ANameWithoutItsFeatureBitOrOfNoBytesIsNoBackingFile) {
  EXPECT_FALSE(Read(QedImage{.backing = "base.img"}.Bytes())->backing);
  EXPECT_FALSE(Read(QedImage{.features = 1}.Bytes())->backing);
}

struct Fault {
  const char* reason;
  std::string bytes;
  ErrorCode code;
  const char* message;
};

TEST(Qed, RefusesEveryMalformedHeaderByItsFault) {
  constexpr auto kCorrupt = ErrorCode::kCorrupt;
  const Fault faults[] = {
      {"an empty file", "", kCorrupt, "the qed header needs 64 bytes at byte 0, and only 0"},
      {"another magic", std::string(64, 'x'), kCorrupt, "begins with 'xxxx' instead of"},
      {"clusters of 2 KiB", QedImage{.cluster_size = 2048}.Bytes(), kCorrupt,
       "cluster_size is 2048, allowed is a power of two from 4096 to 67108864"},
      {"clusters of no power", QedImage{.cluster_size = 65537}.Bytes(), kCorrupt,
       "cluster_size is 65537"},
      {"clusters of 128 MiB", QedImage{.cluster_size = 1 << 27}.Bytes(), kCorrupt, "cluster_size"},
      {"tables of no cluster", QedImage{.table_size = 0}.Bytes(), kCorrupt, "table_size is 0"},
      {"tables of three clusters", QedImage{.table_size = 3}.Bytes(), kCorrupt, "table_size is 3"},
      {"tables of 32 clusters", QedImage{.table_size = 32}.Bytes(), kCorrupt, "table_size is 32"},
      {"a header of no cluster", QedImage{.header_size = 0}.Bytes(), kCorrupt, "header_size is 0"},
      {"a header size that overflows", QedImage{.header_size = 65536}.Bytes(), kCorrupt,
       "header_size is 65536, allowed is from 1 to 65535 clusters of 65536 bytes"},
      {"an unknown feature", QedImage{.features = 0x100}.Bytes(), ErrorCode::kUnsupported,
       "unknown qed feature bit 8"},
      {"a name within the fixed header",
       QedImage{.features = 1, .backing = "b", .backing_offset = 63}.Bytes(), kCorrupt,
       "backing_filename_offset is 63, allowed is from 64 on"},
      {"a name out of the header",
       QedImage{.features = 1, .backing = "base", .backing_offset = 65533}.Bytes(), kCorrupt,
       "so that the name of 4 bytes ends by byte 65536"},
      {"an offset that would overflow",
       QedImage{.features = 1, .backing = "base", .backing_offset = UINT32_MAX}.Bytes(), kCorrupt,
       "backing_filename_offset is 4294967295"},
      {"a name of PATH_MAX bytes",
       QedImage{.features = 1, .backing = std::string(4096, 'x')}.Bytes(), kCorrupt,
       "backing_filename_size is 4096, allowed is at most 4095"},
      {"the file ends within the name",
       QedImage{.features = 1, .backing = "base", .backing_size = 9}.Bytes(), kCorrupt,
       "the backing file name needs 9 bytes at byte 64, and only 4 are there"},
      {"a NUL in the name", QedImage{.features = 1, .backing = std::string("a\0b", 3)}.Bytes(),
       kCorrupt, "the backing file name has a NUL byte"},
  };
  for (const Fault& fault : faults) {
    const auto header = Read(fault.bytes);
    ASSERT_FALSE(header) << fault.reason;
    EXPECT_EQ(header.error().code, fault.code) << fault.reason;
    EXPECT_THAT(header.error().context, HasSubstr(fault.message)) << fault.reason;
  }
}

}  // namespace
}  // namespace openhook::image
