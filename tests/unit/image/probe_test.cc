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

Result<Format> ProbeBytes(const std::string& bytes, std::string_view name = "disk") {
  const MemorySource source(bytes);
  ByteWindow window(source);
  return ProbeFormat(window, name);
}

TEST(Probe, KnowsWhatQemuProbesFor) {
  const struct {
    Format format;
    std::string start;
  } rows[] = {
      {Format::kQcow, std::string("QFI\xfb\0\0\0\1", 8)},
      {Format::kQcow2, std::string("QFI\xfb\0\0\0\2", 8)},
      {Format::kVmdk, "KDMV"},
      {Format::kVmdk, "COWD"},
      {Format::kVmdk, "# Disk DescriptorFile\n"},
      {Format::kVmdk, "#\n  \nversion=3\r\n"},
      {Format::kVdi, std::string(0x40, ' ') + "\x7f\x10\xda\xbe"},
      {Format::kVhdx, "vhdxfile"},
      {Format::kVpc, "conectix"},
      {Format::kParallels, "WithoutFreeSpace"},
      {Format::kParallels, "WithouFreSpacExt"},
      {Format::kLuks, "LUKS\xba\xbe"},
      {Format::kBochs, "Bochs Virtual HD Image"},
      {Format::kCloop,
       "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 "
       "/dev/cloop $1\n"},
      {Format::kRaw, "version=4\n"},
      {Format::kRaw, "# a script\nversion\n"},
      {Format::kRaw, std::string(600, '#') + "\nversion=1\n"},
  };
  for (const auto& row : rows) {
    const auto format = ProbeBytes(row.start);
    ASSERT_TRUE(format) << row.start;
    EXPECT_EQ(*format, row.format) << row.start;
  }
}

TEST(Probe, GuessesAnAppleImageByItsNameAlone) {
  EXPECT_EQ(ProbeBytes("bytes", "/vm/x.dmg").value(), Format::kDmg);
  EXPECT_EQ(ProbeBytes("bytes", ".dmg").value(), Format::kRaw);
  EXPECT_EQ(ProbeBytes("", "/vm/x.dmg").value(), Format::kRaw);
  EXPECT_EQ(ProbeBytes("KDMV", "/vm/x.dmg").value(), Format::kVmdk);
}

TEST(Probe, BytesThatFitTwoFormatsAreNotGuessed) {
  std::string both = "KDMV" + std::string(0x3c, ' ') + "\x7f\x10\xda\xbe";
  const auto format = ProbeBytes(both);
  ASSERT_FALSE(format);
  EXPECT_THAT(format.error().context, HasSubstr("like the format vmdk and like vdi"));
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

TEST(ParseFormat, ReadsEveryNameThatItPrints) {
  const std::string names = FormatNames();
  std::size_t count = 0;
  for (std::size_t at = 0; at < names.size(); ++count) {
    const std::string name = names.substr(at, names.find(", ", at) - at);
    ASSERT_TRUE(ParseFormat(name)) << name;
    EXPECT_EQ(ToString(*ParseFormat(name)), name);
    at += name.size() + 2;
  }
  EXPECT_EQ(count, 13U);
}

TEST(ParseFormat, RefusesTheRestWithARemedy) {
  for (const char* name : {"", "QCOW2", "vhd", "vvfat", "qcow2 "}) {
    const auto format = ParseFormat(name);
    ASSERT_FALSE(format) << name;
    EXPECT_EQ(format.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(format.error().context, HasSubstr("qemu-img convert"));
  }
}

}  // namespace
}  // namespace openhook::image
