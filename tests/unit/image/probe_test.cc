// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fuzz/memory_members.h"
#include "tests/unit/image/image_builder.h"

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

TEST(Probe, RecognisesWhatItCanFollowAndTakesTheRestForRaw) {
  EXPECT_EQ(ReadHeader(MemorySource(PlainQcow2()), std::nullopt)->format, Format::kQcow2);
  EXPECT_EQ(ReadHeader(MemorySource(QedImage{}.Bytes()), std::nullopt)->format, Format::kQed);
  for (const char* raw : {"", "Q", "QFI", "hello, a disk"}) {
    EXPECT_EQ(ReadHeader(MemorySource(raw), std::nullopt)->format, Format::kRaw) << raw;
  }
}

TEST(Probe, NamesTheFormatsThatItCannotFollow) {
  const struct {
    const char* format;
    std::string start;
  } rows[] = {{"qcow", std::string("QFI\xfb\0\0\0\1", 8)},
              {"vmdk", "KDMV"},
              {"vmdk", "# Disk DescriptorFile\n"},
              {"vdi", std::string(0x40, ' ') + "\x7f\x10\xda\xbe"},
              {"vhdx", "vhdxfile"},
              {"luks", "LUKS\xba\xbe"}};
  for (const auto& row : rows) {
    const auto header = ReadHeader(MemorySource(row.start), std::nullopt);
    ASSERT_FALSE(header) << row.format;
    EXPECT_EQ(header.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(header.error().context, HasSubstr(std::string("the format ") + row.format));
  }
}

TEST(ReadHeader, BelievesTheDeclarationAndNotTheBytes) {
  // A guest wrote a qcow2 header onto its raw disk.
  const MemorySource disk(Overlay("/etc/shadow", "raw"));
  const auto header = ReadHeader(disk, Format::kRaw);
  EXPECT_EQ(header->format, Format::kRaw);
  EXPECT_FALSE(header->backing);
  EXPECT_EQ(disk.Reads(), 0U);
  EXPECT_FALSE(ReadHeader(MemorySource("bare bytes, much too few"), Format::kQcow2));
  EXPECT_FALSE(ReadHeader(MemorySource(PlainQcow2()), Format::kQed));
}

TEST(ReadHeader, CostsOneReadForAnOrdinaryImage) {
  Qcow2Image image;
  image.extensions = {{kBackingFormatType, "qcow2"},
                      {kFeatureNamesType, std::string(std::size_t{8} * 48, '\0')}};
  image.backing = std::string(1023, 'n');
  image.total = 200'000;
  const MemorySource source(image.Bytes());
  ASSERT_TRUE(ReadHeader(source, std::nullopt));
  EXPECT_EQ(source.Reads(), 1U);
}

TEST(ParseFormat, KnowsTheNamesThatStandForBareBytes) {
  for (const char* name : {"raw", "file", "host_device", "host_cdrom"}) {
    EXPECT_EQ(ParseFormat(name).value(), Format::kRaw);
  }
  EXPECT_EQ(ToString(ParseFormat("qcow2").value()), "qcow2");
  EXPECT_EQ(ToString(ParseFormat("qed").value()), "qed");
  EXPECT_EQ(ToString(ParseFormat("raw").value()), "raw");
}

TEST(ParseFormat, RefusesTheRestWithARemedy) {
  for (const char* name : {"", "QCOW2", "vmdk", "luks", "qcow2 "}) {
    const auto format = ParseFormat(name);
    ASSERT_FALSE(format) << name;
    EXPECT_EQ(format.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(format.error().context, HasSubstr("qemu-img convert"));
  }
}

}  // namespace
}  // namespace openhook::image
