// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Parents that QEMU has no support for: the image is refused, and the parent named. What else the
// readers of these formats accept and refuse is in the corpora (corpus_test.cc).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/image/probe.h"
#include "broker/image/utf16.h"
#include "tests/fuzz/memory_members.h"
#include "tests/unit/image/image_builder.h"

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

std::string Utf16(const std::string& text) {
  std::string bytes;
  for (const char c : text) {
    bytes += {c, '\0'};
  }
  return bytes;
}

void Put(std::string& bytes, std::size_t at, const std::string& piece) {
  bytes.resize(std::max(bytes.size(), at + piece.size()), '\0');
  bytes.replace(at, piece.size(), piece);
}

// A metadata table with file parameters, a virtual size and a parent locator of one entry.
std::string VhdxOver(const std::string& key, const std::string& value) {
  constexpr std::size_t kRegion = 0x50000;
  const auto entry = [](const char* guid, std::uint64_t offset) {
    return std::string(guid, 16) + LittleEndianBytes(offset, 4) + std::string(12, '\0');
  };
  std::string bytes = "vhdxfile";
  Put(bytes, 0x30000,
      "regi" + std::string(4, '\0') + LittleEndianBytes(1, 4) + std::string(4, '\0') +
          std::string("\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e", 16) +
          LittleEndianBytes(kRegion, 8) + std::string(8, '\0'));
  Put(bytes, kRegion,
      "metadata" + LittleEndianBytes(0, 2) + LittleEndianBytes(3, 2) + std::string(20, '\0') +
          entry("\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b", 0x1000) +
          entry("\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8", 0x1008) +
          entry("\x2d\x5f\xd3\xa8\x0b\xb3\x4d\x45\xab\xf7\xd3\xd8\x48\x34\xab\x0c", 0x2000));
  Put(bytes, kRegion + 0x1000, LittleEndianBytes(1 << 21, 4) + LittleEndianBytes(2, 4));
  Put(bytes, kRegion + 0x2000,
      std::string(18, '\0') + LittleEndianBytes(1, 2) + LittleEndianBytes(32, 4) +
          LittleEndianBytes(32 + 2 * key.size(), 4) + LittleEndianBytes(2 * key.size(), 2) +
          LittleEndianBytes(2 * value.size(), 2) + Utf16(key) + Utf16(value));
  return bytes;
}

TEST(Parents, OfVhdxAreNamedByTheirLocator) {
  const auto header =
      ReadHeader(MemorySource(VhdxOver("relative_path", "..\\base.vhdx")), Format::kVhdx);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(header.error().context,
            "it has a parent, named by 'relative_path' '..\\x5cbase.vhdx', and QEMU cannot use a "
            "parent of vhdx; merge the image into its parent with the program that made it");
}

TEST(Parents, OfVpcAreNamedByTheHeaderAndItsLocators) {
  std::string bytes;
  Put(bytes, 0, "conectix");
  Put(bytes, 16, BigEndianBytes(512, 8));
  Put(bytes, 60, BigEndianBytes(4, 4));
  Put(bytes, 512, "cxsparse");
  Put(bytes, 512 + 65, Utf16("base.vhd"));
  Put(bytes, 512 + 576,
      "W2ru" + BigEndianBytes(512, 4) + BigEndianBytes(20, 4) + BigEndianBytes(0, 4) +
          BigEndianBytes(2048, 8));
  Put(bytes, 2048, Utf16("..\\base.vhd"));
  const auto header = ReadHeader(MemorySource(bytes), Format::kVpc);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(header.error().context,
              HasSubstr("it has a parent, named 'base.vhd', 'W2ru' '..\\x5cbase.vh', and QEMU"));
}

TEST(Parents, OfVdiAreNamedByTheirUuid) {
  for (const std::size_t at : {std::size_t{0x1a8}, std::size_t{0x1b8}}) {
    std::string bytes(512, '\0');
    Put(bytes, 0x40, "\x7f\x10\xda\xbe" + LittleEndianBytes(0x10001, 4));
    EXPECT_TRUE(ReadHeader(MemorySource(bytes), Format::kVdi));
    Put(bytes, at, "\x01\xfe");
    const auto header = ReadHeader(MemorySource(bytes), Format::kVdi);
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(header.error().context,
                HasSubstr("it has a parent, the image of the UUID bytes 01fe0000"));
  }
}

TEST(TextOfUtf16, IsUtf8UpToTheFirstNul) {
  EXPECT_EQ(TextOfUtf16(std::string("a\0\xe9\0\xac\x20\0\0x\0", 10), ByteOrder::kLittle),
            "a\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(TextOfUtf16(std::string("\0a\xd8\x3d\xde\x00", 6), ByteOrder::kBig),
            "a\xf0\x9f\x98\x80");
  EXPECT_EQ(TextOfUtf16(std::string("\xd8\x3d\0a\xde\0x", 7), ByteOrder::kBig), "?a?");
  EXPECT_EQ(TextOfUtf16("", ByteOrder::kBig), "");
}

}  // namespace
}  // namespace openhook::image
