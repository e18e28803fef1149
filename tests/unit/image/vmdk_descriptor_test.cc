// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/vmdk_descriptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/image/probe.h"
#include "tests/fuzz/memory_members.h"
#include "tests/unit/image/image_builder.h"

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

TEST(VmdkDescriptor, ListsTheFilesOfItsExtents) {
  const auto extents = VmdkExtents(Descriptor(
      "RW 4192256 SPARSE \"a b-s001.vmdk\"\nRW 8 FLAT \"/dev/sda\" 63\r\n RW\t8  VMFS \"c\" \n"
      "RW 8 VMFSSPARSE \"d\"\nRW 8 SESPARSE \"e\"\nRW 8 ZERO\n"));
  ASSERT_TRUE(extents) << extents.error().Message();
  ASSERT_EQ(extents->size(), 5U);
  const struct {
    const char* name;
    Format format;
  } rows[] = {{"a b-s001.vmdk", Format::kVmdk},
              {"/dev/sda", Format::kRaw},
              {"c", Format::kRaw},
              {"d", Format::kVmdk},
              {"e", Format::kVmdk}};
  for (std::size_t i = 0; i < std::size(rows); ++i) {
    EXPECT_EQ((*extents)[i].name, rows[i].name);
    EXPECT_EQ((*extents)[i].format, rows[i].format);
  }
}

TEST(VmdkDescriptor, NamesItsParentAsVmdk) {
  const auto parent =
      VmdkParent(Descriptor("", "parentFileNameHint=\"../a 'b'\"\n", "monolithicSparse"));
  ASSERT_TRUE(parent) << parent.error().Message();
  EXPECT_EQ((*parent)->name, "../a 'b'");
  EXPECT_EQ((*parent)->format, "vmdk");
  EXPECT_FALSE(VmdkParent(Descriptor("")).value());
  EXPECT_FALSE(VmdkParent("CID=1\nparentCID=FFFFFFFF\nparentFileNameHint=\"\"\n").value());
}

TEST(VmdkDescriptor, RefusesExtentsByTheirFault) {
  const struct {
    std::string lines;
    ErrorCode code;
    const char* message;
  } rows[] = {
      {"RW\n", ErrorCode::kCorrupt, "has no number of sectors"},
      {"RW 0 FLAT \"a\" 0\n", ErrorCode::kCorrupt, "has no number of sectors"},
      {"RW -8 FLAT \"a\" 0\n", ErrorCode::kCorrupt, "has no number of sectors"},
      {"RW 8 FLAT a 0\n", ErrorCode::kCorrupt, "'RW 8 FLAT a 0' has no file name in double quotes"},
      {"RW 8 FLAT \"\" 0\n", ErrorCode::kCorrupt, "has no file name"},
      {"RW 8 FLAT \"a\rb\" 0\n", ErrorCode::kCorrupt, "a carriage return"},
      {"RW 8 FLAT \"" + std::string(512, 'n') + "\" 0\n", ErrorCode::kCorrupt, "511 bytes"},
      {"RW 8 FLAT \"a\"\n", ErrorCode::kCorrupt, "'a' of the type FLAT has no offset"},
      {"RW 8 VMFS \"a\" 0\n", ErrorCode::kCorrupt, "'a' of the type VMFS has an offset"},
      {"RW 8 SPARSE \"a\" 0\n", ErrorCode::kCorrupt, "has an offset"},
      {"RW 8 FLAT \"a\" 0 x\n", ErrorCode::kCorrupt, "has more than an offset"},
      {"\nRW 8 FLAT \"a\" 0\n", ErrorCode::kCorrupt, "which QEMU then reads twice"},
      {"RW 8 VMFSRDM \"a\"\n", ErrorCode::kUnsupported, "'VMFSRDM', which QEMU passes over"},
      {"RDONLY 8 FLAT \"a\" 0\n", ErrorCode::kUnsupported, "the access 'RDONLY'"},
      {"NOACCESS 8 ZERO\n", ErrorCode::kUnsupported, "the access 'NOACCESS'"},
  };
  for (const auto& row : rows) {
    const auto extents = VmdkExtents(Descriptor(row.lines));
    ASSERT_FALSE(extents) << row.lines;
    EXPECT_EQ(extents.error().code, row.code) << row.lines;
    EXPECT_THAT(extents.error().context, HasSubstr(row.message)) << row.lines;
  }
  EXPECT_THAT(VmdkExtents(Descriptor("", "", "custom")).error().context,
              HasSubstr("the vmdk disk type 'custom' is not one that QEMU opens"));
  EXPECT_THAT(VmdkExtents("version=1\n").error().context, HasSubstr("it has no createType"));
}

TEST(VmdkDescriptor, RefusesParentsByTheirFault) {
  const struct {
    std::string text;
    const char* message;
  } rows[] = {
      {"parentCID=1\n", "parentCID says that it has a parent"},
      {"CID=1\n", "it has no line that begins with parentCID="},
      {"parentCID=x\n", "parentCID is 'x', allowed is a 32 bit number"},
      {"parentCID=100000000\n", "allowed is a 32 bit number"},
      {"parentCID=1\nparentFileNameHint=\"a\"\nparentFileNameHint=\"b\"\n", "is given twice"},
      {"parentCID=1\n#parentFileNameHint=\"a\"\n", "does not stand at the begin of a line"},
      {"parentCID=1\nparentFileNameHint = \"a\"\n", "before =\""},
      {"parentCID=1\nparentFileNameHint=\"a\n\"", "has no closing quote"},
      {"parentCID=1\nparentFileNameHint=\"" + std::string(4096, 'n') + "\"", "longer than 4095"},
      {"parentCID=1\n" + std::string(10240, '#') + "\nparentFileNameHint=\"a\"\n", "10240 bytes"},
  };
  for (const auto& row : rows) {
    const auto parent = VmdkParent(row.text);
    ASSERT_FALSE(parent) << row.text;
    EXPECT_EQ(parent.error().code, ErrorCode::kCorrupt) << row.text;
    EXPECT_THAT(parent.error().context, HasSubstr(row.message)) << row.text;
  }
}

TEST(Vmdk, AnExtentOfAnotherImageIsNoImageOfItsOwn) {
  EXPECT_TRUE(CheckExtent(MemorySource(SparseVmdk(8, "")), Format::kVmdk));
  EXPECT_THAT(ReadHeader(MemorySource(SparseVmdk(8, "")), Format::kVmdk).error().context,
              HasSubstr("the sector of the vmdk descriptor is 0"));
}

TEST(Vmdk, ADescriptorIsSmallerThanAMebibyte) {
  const std::string text = Descriptor("RW 8 FLAT \"a\" 0\n");
  const std::string fill((1 << 20) - 1 - text.size(), '#');
  EXPECT_TRUE(ReadHeader(MemorySource(text + fill), Format::kVmdk));
  EXPECT_TRUE(ReadHeader(MemorySource(text + fill + std::string("\0#", 2)), Format::kVmdk));
  const auto refused = ReadHeader(MemorySource(text + fill + "#"), Format::kVmdk);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_THAT(refused.error().context,
              HasSubstr("the vmdk descriptor is longer than 1048575 bytes"));
}

}  // namespace
}  // namespace openhook::image
