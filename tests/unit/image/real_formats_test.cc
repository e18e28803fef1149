// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Every format that the installed qemu-img can make: what we read of it against what QEMU says of
// it, and against the files that QEMU opens for it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/image/image_builder.h"
#include "tests/unit/image/real_images.h"

namespace openhook::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RealFormats : public RealImages {
 protected:
  // The names of the extents that qemu-img reports for a vmdk image.
  static std::vector<std::string> ExtentsByQemu(const std::string& image) {
    const auto report = Info(image, Format::kVmdk);
    std::vector<std::string> names;
    for (const auto& extent : report.at(0).at("format-specific").at("data").at("extents")) {
      names.push_back(extent.at("filename").get<std::string>());
    }
    return names;
  }
  static std::vector<std::string> Extents(const Chain& chain) {
    std::vector<std::string> names;
    for (const ChainMember& member : chain.members) {
      if (member.role == MemberRole::kExtent) {
        names.push_back(member.name);
      }
    }
    return names;
  }
  static std::string Content(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void ExpectQemuOpensTheChain(const std::string& image, Format format) {
    const auto chain = Walk(image, format);
    ASSERT_TRUE(chain) << image << ": " << chain.error().Message();
    EXPECT_EQ(OpenedByQemu(image, format), NamesOf(*chain)) << image;
  }
};

TEST_F(RealFormats, EachIsReadAsQemuReadsItAndProbedAsQemuProbesIt) {
  const struct {
    Format format;
    const char* options;
    const char* size;
  } rows[] = {
      {Format::kRaw, "", "1M"},
      {Format::kQcow2, "", "1M"},
      {Format::kQed, "", "1M"},
      {Format::kQcow, "", "1M"},
      {Format::kVmdk, "-o subformat=monolithicSparse", "1M"},
      {Format::kVmdk, "-o subformat=streamOptimized", "1M"},
      {Format::kVhdx, "-o subformat=dynamic", "8M"},
      {Format::kVhdx, "-o subformat=fixed", "8M"},
      {Format::kVpc, "-o subformat=dynamic,force_size=on", "1M"},
      {Format::kVpc, "-o subformat=fixed,force_size=on", "1M"},
      {Format::kVdi, "", "1M"},
      {Format::kVdi, "-o static=on", "1M"},
      {Format::kParallels, "", "1M"},
  };
  for (const auto& row : rows) {
    const std::string format(ToString(row.format));
    SCOPED_TRACE(format + " " + row.options);
    std::filesystem::remove("disk");
    QemuImg("create -q -f " + format + " " + row.options + " disk " + row.size);
    ExpectQemuAgrees("disk", 1, row.format);
    ExpectQemuOpensTheChain("disk", row.format);
    const auto probed =
        nlohmann::json::parse(Output("qemu-img info --output=json disk")).at("format");
    EXPECT_EQ(ToString(Walk("disk", std::nullopt)->members[0].format), probed.get<std::string>());
    if (const auto size = ReadFile("disk", row.format)->virtual_size) {
      EXPECT_EQ(*size, Info("disk", row.format)[0].at("virtual-size").get<std::uint64_t>());
    }
  }
}

TEST_F(RealFormats, LuksAloneAndWithItsKeyDescribed) {
  EncryptedQemuImg(
      "create -f luks --object secret,id=s,data=x -o key-secret=s,iter-time=10 disk.luks 1M");
  ExpectQemuAgrees("disk.luks", 1, Format::kLuks);
  ExpectQemuOpensTheChain("disk.luks", Format::kLuks);
  EXPECT_EQ(Walk("disk.luks", std::nullopt)->members[0].format, Format::kLuks);
}

TEST_F(RealFormats, EveryKindOfVmdkHasItsExtents) {
  const struct {
    const char* kind;
    std::vector<std::string> extents;
  } rows[] = {{"monolithicSparse", {}},
              {"streamOptimized", {}},
              {"monolithicFlat", {"disk-flat.vmdk"}},
              {"twoGbMaxExtentSparse", {"disk-s001.vmdk", "disk-s002.vmdk"}},
              {"twoGbMaxExtentFlat", {"disk-f001.vmdk", "disk-f002.vmdk"}}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.kind);
    QemuImg("create -f vmdk -o subformat=" + std::string(row.kind) + " disk.vmdk 3G");
    for (const std::string& name : {std::string("disk.vmdk"), At("disk.vmdk")}) {
      const auto chain = Walk(name, Format::kVmdk);
      ASSERT_TRUE(chain) << chain.error().Message();
      EXPECT_EQ(Extents(*chain).size(), row.extents.size());
      if (!row.extents.empty()) {
        EXPECT_EQ(Extents(*chain), ExtentsByQemu(name));
      }
      EXPECT_EQ(OpenedByQemu(name, Format::kVmdk), NamesOf(*chain));
    }
    EXPECT_EQ(Extents(*Walk("disk.vmdk", Format::kVmdk)), row.extents);
    EXPECT_EQ(Walk("disk.vmdk", std::nullopt)->members[0].format, Format::kVmdk);
  }
}

TEST_F(RealFormats, VmdkParentsAreFollowedAsQemuFollowsThem) {
  std::filesystem::create_directory("sub");
  QemuImg("create -f vmdk -o subformat=monolithicSparse sub/base.vmdk 3G");
  QemuImg("create -f vmdk -o subformat=twoGbMaxExtentSparse -b base.vmdk -F vmdk sub/mid.vmdk");
  QemuImg("create -f vmdk -b sub/mid.vmdk -F vmdk top.vmdk");
  ExpectQemuOpensTheChain("top.vmdk", Format::kVmdk);
  ExpectQemuOpensTheChain(At("top.vmdk"), Format::kVmdk);
  const auto report = Info("top.vmdk", Format::kVmdk);
  ASSERT_EQ(report.size(), 3U);
  const auto chain = Walk("top.vmdk", Format::kVmdk);
  ASSERT_EQ(chain->members.size(), 5U);
  EXPECT_EQ(chain->members[1].name, report[1].at("filename").get<std::string>());
  EXPECT_EQ(chain->members[1].role, MemberRole::kBacking);
  EXPECT_EQ(chain->members[2].role, MemberRole::kExtent);
  EXPECT_EQ(chain->members[2].depth, 1U);
  EXPECT_EQ(chain->members[4].name, report[2].at("filename").get<std::string>());
}

TEST_F(RealFormats, ExtentsLeadWhereverTheirDescriptorSays) {
  std::filesystem::create_directory("sub");
  Write("outside", std::string(8 * 512, 'x'));
  Write("absolute", std::string(8 * 512, 'y'));
  Write("sub/top.vmdk",
        Descriptor("RW 8 FLAT \"../outside\" 0\nRW 8 FLAT \"" + At("absolute") + "\" 0\n"));
  const auto chain = Walk("sub/top.vmdk", Format::kVmdk);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Extents(*chain), ElementsAre("sub/../outside", At("absolute")));
  EXPECT_EQ(Extents(*chain), ExtentsByQemu("sub/top.vmdk"));
  ExpectQemuOpensTheChain("sub/top.vmdk", Format::kVmdk);
}

// These say why the descriptor's grammar is strict: QEMU reads each of them, and a reader that goes
// line by line would read something else.
TEST_F(RealFormats, DescriptorsThatQemuReadsInItsOwnWayAreRefused) {
  Write("flat", std::string(16 * 512, 'x'));
  const struct {
    const char* reason;
    const char* lines;
    std::size_t extents;
  } rows[] = {{"an empty line before an extent: read twice", "\nRW 8 FLAT \"flat\" 0\n", 2},
              {"an extent over three lines", "RW 8\nFLAT \"flat\"\n0\n", 1},
              {"no space before its type", "RW 8FLAT \"flat\" 0\n", 1},
              {"words behind its offset", "RW 8 FLAT \"flat\" 0 uuid device\n", 1},
              {"no closing quote", "RW 8 VMFS \"flat\n", 1}};
  for (const auto& row : rows) {
    Write("top.vmdk", Descriptor(row.lines));
    EXPECT_EQ(ExtentsByQemu("top.vmdk").size(), row.extents) << row.reason;
    const auto chain = Walk("top.vmdk", Format::kVmdk);
    ASSERT_FALSE(chain) << row.reason;
    EXPECT_EQ(chain.error().code, ErrorCode::kCorrupt) << row.reason;
  }
}

TEST_F(RealFormats, ASparseVmdkWithoutSectorsListsExtents) {
  Write("flat", std::string(8 * 512, 'x'));
  Write("top.vmdk", SparseVmdk(0, Descriptor("RW 8 FLAT \"flat\" 0\n")));
  EXPECT_THAT(ExtentsByQemu("top.vmdk"), ElementsAre("flat"));
  ExpectQemuOpensTheChain("top.vmdk", Format::kVmdk);
  // As an extent of another image QEMU would open it the same way.
  Write("outer.vmdk", Descriptor("RW 8 SPARSE \"top.vmdk\"\n"));
  EXPECT_TRUE(OpenedByQemu("outer.vmdk", Format::kVmdk).contains("flat"));
  EXPECT_THAT(Walk("outer.vmdk", Format::kVmdk).error().context,
              HasSubstr("QEMU would open the extents that it lists"));
}

TEST_F(RealFormats, QcowDeclaresItsBackingFormatInAJsonNameOnly) {
  QemuImg("create -f raw base.raw 1M");
  QemuImg("create -f qcow -b base.raw -F raw plain.qcow");
  EXPECT_THAT(Walk("plain.qcow", Format::kQcow).error().context,
              HasSubstr("backing file 'base.raw' of 'plain.qcow' has no declared format, and qcow "
                        "can declare none"));
  QemuImg(R"(create -f qcow -F raw -b 'json:{"driver":"raw","file.filename":"base.raw"}' )"
          "top.qcow 1M");
  ExpectQemuAgrees("top.qcow", 2, Format::kQcow);
  ExpectQemuOpensTheChain("top.qcow", Format::kQcow);
}

// QEMU takes a differencing image for a dynamic one and shows zeros where its parent has data.
TEST_F(RealFormats, AVpcParentIsNamedWhereQemuForgetsIt) {
  QemuImg("create -f vpc -o subformat=dynamic disk.vpc 4M");
  std::string bytes = Content("disk.vpc");
  ASSERT_EQ(bytes[63], 3);
  // Another type, and the sum of the bytes with it.
  bytes[63] = 4;
  for (std::size_t at = 67, borrow = 1; borrow != 0; --at) {
    borrow = bytes[at] == 0 ? 1 : 0;
    --bytes[at];
  }
  const std::string name = std::string("\0b\0a\0s\0e", 8);
  bytes.replace(512 + 64, name.size(), name);
  Write("disk.vpc", bytes);
  EXPECT_EQ(Info("disk.vpc", Format::kVpc).size(), 1U);
  const auto chain = Walk("disk.vpc", Format::kVpc);
  ASSERT_FALSE(chain);
  EXPECT_EQ(chain.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(chain.error().context,
              HasSubstr("image 'disk.vpc': it has a parent, named 'base', and QEMU cannot use a "
                        "parent of vpc"));
}

TEST_F(RealFormats, AVdiParentIsRefusedByQemuToo) {
  QemuImg("create -f vdi disk.vdi 4M");
  std::string bytes = Content("disk.vdi");
  bytes[0x1b8] = 1;
  Write("disk.vdi", bytes);
  EXPECT_TRUE(Info("disk.vdi", Format::kVdi).is_discarded());
  EXPECT_THAT(Walk("disk.vdi", Format::kVdi).error().context, HasSubstr("it has a parent"));
}

TEST_F(RealFormats, JsonNamesInEverySpellingThatQemuTakes) {
  QemuImg("create -f raw base.raw 1M");
  QemuImg("create -f qcow2 -b base.raw -F raw mid.qcow2");
  Write("archive", std::string(1 << 20, 'x') + Content("mid.qcow2"));
  const struct {
    const char* backing;
    const char* format;
    const char* file;
  } rows[] = {
      {R"({"driver":"qcow2","file":{"driver":"file","filename":"mid.qcow2"}})", "qcow2",
       "mid.qcow2"},
      {R"({"driver":"qcow2","file":{"filename":"mid.qcow2"}})", "qcow2", "mid.qcow2"},
      {R"({"file.driver":"file","file.filename":"mid.qcow2"})", "qcow2", "mid.qcow2"},
      {R"({"driver":"raw","offset":0,"size":"512k","file":{"driver":"qcow2","file.filename":)"
       R"("mid.qcow2"}})",
       "raw", "mid.qcow2"},
      {R"({"driver":"qcow2","file":{"driver":"raw","offset":"1M","file":{"driver":"file",)"
       R"("filename":"archive"}}})",
       "qcow2", "archive"},
      {R"({"driver":"qcow2","file":{"driver":"raw","offset":1048576,"file.filename":"archive"}})",
       "qcow2", "archive"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.backing);
    QemuImg("create -u -f qcow2 -F " + std::string(row.format) + " -b 'json:" + row.backing +
            "' top.qcow2 1M");
    const auto chain = Walk("top.qcow2");
    ASSERT_TRUE(chain) << chain.error().Message();
    EXPECT_EQ(chain->members[1].name, row.file);
    EXPECT_EQ(chain->members[1].format, Format::kQcow2);
    EXPECT_EQ(NamesOf(*chain), (std::set<std::string>{"top.qcow2", row.file, "base.raw"}));
    EXPECT_EQ(OpenedByQemu("top.qcow2", Format::kQcow2), NamesOf(*chain));
  }
}

TEST_F(RealFormats, JsonNamesInSingleQuotes) {
  QemuImg("create -f raw base.raw 1M");
  QemuImg(R"(create -f qcow2 -F raw -b "json:{'driver':'raw','file':{'filename':'base.raw'}}" )"
          "top.qcow2");
  ExpectQemuAgrees("top.qcow2", 2);
}

}  // namespace
}  // namespace openhook::image
