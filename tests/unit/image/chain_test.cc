// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "broker/base/limits.h"
#include "tests/fuzz/memory_members.h"
#include "tests/unit/image/image_builder.h"

namespace openhook::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "depth role format access path (spelling)", for comparing whole chains at a glance.
std::vector<std::string> Lines(const Chain& chain) {
  std::vector<std::string> lines;
  for (const ChainMember& member : chain.members) {
    lines.push_back(std::to_string(member.depth) + " " + std::string(ToString(member.role)) + " " +
                    std::string(ToString(member.format)) + " " +
                    std::string(ToString(member.access)) + " " + member.path.str() + " (" +
                    member.name + ")");
  }
  return lines;
}

TEST(Chain, ARawImageIsAChainOfOne) {
  MemoryMembers members;
  members.Add("/vm/disk", "bytes");
  const auto chain = WalkChain(members, "/vm/disk", Format::kRaw);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Lines(*chain), ElementsAre("0 image raw read-write /vm/disk (/vm/disk)"));
  EXPECT_THAT(chain->network, IsEmpty());
  EXPECT_THAT(chain->warnings, IsEmpty());
  EXPECT_EQ(chain->image_format, FormatSource::kDeclared);
}

TEST(Chain, KeepsTheSpellingOfQemuBesideTheCanonicalPath) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay("../img/./mid", "qcow2"));
  members.Add("/img/mid", Overlay("../vm/base.qed", "qed"));
  members.Add("/vm/base.qed", QedImage{.features = 5, .backing = "/raw"}.Bytes());
  members.Add("/raw", "bytes");
  const auto chain = WalkChain(members, "/vm//top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Lines(*chain),
              ElementsAre("0 image qcow2 read-write /vm/top (/vm//top)",
                          "1 backing qcow2 read /img/mid (/vm//../img/./mid)",
                          "2 backing qed read /vm/base.qed (/vm//../img/./../vm/base.qed)",
                          "3 backing raw read /raw (/raw)"));
  EXPECT_THAT(chain->warnings, IsEmpty());
}

TEST(Chain, DataFilesHaveTheDepthAndTheAccessOfTheirOwner) {
  MemoryMembers members;
  Qcow2Image top = WithDataFile("/vm/top.raw");
  top.extensions.push_back({kBackingFormatType, "qcow2"});
  top.backing = "base";
  members.Add("/vm/top", top.Bytes());
  members.Add("/vm/top.raw", "");
  members.Add("/vm/base", WithDataFile("/vm/base.raw").Bytes());
  members.Add("/vm/base.raw", "");
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Lines(*chain), ElementsAre("0 image qcow2 read-write /vm/top (/vm/top)",
                                         "0 data-file raw read-write /vm/top.raw (/vm/top.raw)",
                                         "1 backing qcow2 read /vm/base (/vm/base)",
                                         "1 data-file raw read /vm/base.raw (/vm/base.raw)"));
}

TEST(Chain, JsonNamesMayDescribeTheRestOfTheChain) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay(R"(json:{"driver":"qcow2","file.filename":"/vm/mid",
      "data-file.filename":"/vm/other.raw","backing":{"driver":"raw","file.filename":"/vm/new"}})",
                                 "qcow2"));
  Qcow2Image mid = WithDataFile("/vm/stored.raw");
  mid.extensions.push_back({kBackingFormatType, "qcow2"});
  mid.backing = "old";
  members.Add("/vm/mid", mid.Bytes());
  members.Add("/vm/other.raw", "");
  members.Add("/vm/new", "");
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Lines(*chain), ElementsAre("0 image qcow2 read-write /vm/top (/vm/top)",
                                         "1 backing qcow2 read /vm/mid (/vm/mid)",
                                         "1 data-file raw read /vm/other.raw (/vm/other.raw)",
                                         "2 backing raw read /vm/new (/vm/new)"));
}

TEST(Chain, JsonMayEndTheChain) {
  MemoryMembers members;
  members.Add(
      "/vm/top",
      Overlay(R"(json:{"driver":"qcow2","file.filename":"/vm/mid","backing":null})", "qcow2"));
  members.Add("/vm/mid", Overlay("absent", "raw"));
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members.size(), 2U);
}

TEST(Chain, AJsonNameDeclaresTheFormatToo) {
  MemoryMembers members;
  Qcow2Image top;
  top.backing = R"(json:{"driver":"raw","file.filename":"/vm/base"})";
  members.Add("/vm/top", top.Bytes());
  members.Add("/vm/base", "");
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members[1].format, Format::kRaw);
}

TEST(Chain, NetworkMembersAreListedAndNeverOpened) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay("nbd://host/base", "raw"));
  const auto raw = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(raw) << raw.error().Message();
  EXPECT_EQ(raw->members.size(), 1U);
  ASSERT_EQ(raw->network.size(), 1U);
  EXPECT_EQ(raw->network[0].name, "nbd://host/base");
  EXPECT_EQ(raw->network[0].depth, 1U);
  EXPECT_THAT(raw->warnings, IsEmpty());

  members.Add("/vm/top", Overlay("nbd://host/base", "qcow2"));
  const auto qcow2 = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(qcow2) << qcow2.error().Message();
  EXPECT_THAT(qcow2->warnings, ElementsAre(HasSubstr("is on the network and was not read")));
}

TEST(Chain, ExtentsHaveTheDepthAndTheAccessOfTheirDescriptor) {
  MemoryMembers members;
  members.Add("/vm/top", Descriptor("RW 8 SPARSE \"top-s001\"\nRW 8 ZERO\n"
                                    "RW 8 FLAT \"/img/flat\" 9\n",
                                    "parentFileNameHint=\"../img/base\"\n"));
  members.Add("/vm/top-s001", SparseVmdk(8, ""));
  members.Add("/img/flat", "");
  members.Add("/img/base", Descriptor("RW 8 VMFSSPARSE \"../vm/delta\"\n"));
  members.Add("/vm/delta", "COWD" + std::string(100, '\0'));
  const auto chain = WalkChain(members, "/vm/top", Format::kVmdk);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Lines(*chain), ElementsAre("0 image vmdk read-write /vm/top (/vm/top)",
                                         "0 extent vmdk read-write /vm/top-s001 (/vm/top-s001)",
                                         "0 extent raw read-write /img/flat (/img/flat)",
                                         "1 backing vmdk read /img/base (/vm/../img/base)",
                                         "1 extent vmdk read /vm/delta (/vm/../img/../vm/delta)"));
  EXPECT_THAT(chain->warnings, IsEmpty());
}

TEST(Chain, MayHaveAThousandAndTwentyFourExtentsAndNoMore) {
  MemoryMembers members;
  std::string lines;
  for (std::size_t i = 0; i < limits::kMaxChainExtents; ++i) {
    const std::string name = "f" + std::to_string(i);
    lines += "RW 8 FLAT \"" + name + "\" 0\n";
    members.Add("/vm/" + name, "");
  }
  members.Add("/vm/top", Descriptor(lines));
  const auto chain = WalkChain(members, "/vm/top", Format::kVmdk);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members.size(), 1025U);

  members.Add("/vm/more", "");
  members.Add("/vm/top", Descriptor(lines + "RW 8 FLAT \"more\" 0\n"));
  const auto refused = WalkChain(members, "/vm/top", Format::kVmdk);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_THAT(refused.error().context, HasSubstr("more than 1024 extents"));
}

TEST(Chain, AnImageMayLieWithinAFile) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay(R"(json:{"driver":"qcow2","file":{"driver":"raw","offset":"1k",
      "file":{"driver":"file","filename":"/vm/archive"}}})",
                                 "qcow2"));
  members.Add("/vm/archive", std::string(1024, 'x') + Overlay("base", "raw"));
  members.Add("/vm/base", "");
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_THAT(Lines(*chain), ElementsAre("0 image qcow2 read-write /vm/top (/vm/top)",
                                         "1 backing qcow2 read /vm/archive (/vm/archive)",
                                         "2 backing raw read /vm/base (/vm/base)"));
}

TEST(Chain, AWrapperShowsWhatItsFormatReads) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay(R"(json:{"driver":"raw","size":512,"file":{"driver":"qcow2",
      "file.filename":"/vm/mid"}})",
                                 "raw"));
  members.Add("/vm/mid", Overlay("base", "raw"));
  members.Add("/vm/base", "");
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members.size(), 3U);
  EXPECT_EQ(chain->members[1].format, Format::kQcow2);
}

TEST(Chain, AGuestsBytesOnARawDiskLeadNowhereWhenItIsDeclared) {
  MemoryMembers members;
  for (const std::string& bytes :
       {Descriptor("RW 8 FLAT \"/etc/shadow\" 0\n"), Overlay("/etc/shadow", "raw"),
        QcowImage{.backing = "/etc/shadow"}.Bytes()}) {
    members.Add("/vm/top", bytes);
    const auto chain = WalkChain(members, "/vm/top", Format::kRaw);
    ASSERT_TRUE(chain) << chain.error().Message();
    EXPECT_EQ(chain->members.size(), 1U);
  }
}

TEST(Chain, SaysThatTheFormatOfTheImageWasProbed) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay("base", "raw"));
  members.Add("/vm/base", "");
  const auto chain = WalkChain(members, "/vm/top", std::nullopt);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->image_format, FormatSource::kProbed);
  EXPECT_EQ(chain->members.size(), 2U);
  EXPECT_THAT(chain->warnings, ElementsAre(HasSubstr("its first bytes say qcow2")));
}

TEST(Chain, SaysThatANameDependsOnTheWorkingDirectory) {
  MemoryMembers members;
  members.Add("/vm/top", Overlay("file:base", "raw"));
  members.Add("/vm/base", "");
  const auto chain = WalkChain(members, "/vm/top", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members[1].name, "base");
  EXPECT_THAT(chain->warnings, ElementsAre(HasSubstr("in its working directory")));
}

// A chain of `length` images, /vm/0 over /vm/1 and so on.
MemoryMembers Deep(std::size_t length) {
  MemoryMembers members;
  for (std::size_t i = 0; i + 1 < length; ++i) {
    members.Add("/vm/" + std::to_string(i), Overlay(std::to_string(i + 1), "qcow2"));
  }
  members.Add("/vm/" + std::to_string(length - 1), PlainQcow2());
  return members;
}

TEST(Chain, MayBeTwoHundredImagesDeepAndNoMore) {
  MemoryMembers deepest = Deep(limits::kMaxChainDepth);
  const auto chain = WalkChain(deepest, "/vm/0", Format::kQcow2);
  ASSERT_TRUE(chain) << chain.error().Message();
  EXPECT_EQ(chain->members.size(), 200U);

  MemoryMembers too_deep = Deep(limits::kMaxChainDepth + 1);
  const auto refused = WalkChain(too_deep, "/vm/0", Format::kQcow2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
  EXPECT_THAT(refused.error().context, HasSubstr("more than 200 images deep"));
}

struct Refusal {
  const char* reason;
  std::function<void(MemoryMembers&)> add;
  ErrorCode code;
  const char* message;
};

std::vector<Refusal> Refusals() {
  const auto top = [](std::string bytes) {
    return [bytes](MemoryMembers& members) { members.Add("/vm/top", bytes); };
  };
  const auto over = [top](const char* name, const char* format) {
    return top(Overlay(name, format));
  };
  const auto undeclared = [](const char* name) {
    Qcow2Image image;
    image.backing = name;
    return image.Bytes();
  };
  return {
      {"no image", [](MemoryMembers&) {}, ErrorCode::kNotFound, "image '/vm/top' does not exist"},
      {"no backing file", over("gone", "raw"), ErrorCode::kNotFound,
       "backing file '/vm/gone' of '/vm/top' does not exist"},
      {"no relative data file", top(WithDataFile("gone.raw").Bytes()), ErrorCode::kNotFound,
       "data file 'gone.raw' of image '/vm/top' does not exist (searched from the working"},
      {"the image is its own backing file", over("./top", "qcow2"), ErrorCode::kConflict,
       "backing file '/vm/./top' of '/vm/top' is the same file as '/vm/top' (image, depth 0): the "
       "chain is a loop"},
      {"a loop through a hard link",
       [](MemoryMembers& members) {
         members.Add("/vm/top", Overlay("mid", "qcow2"));
         members.Add("/vm/mid", Overlay("/elsewhere/link", "qcow2"));
         members.Link("/vm/top", "/elsewhere/link");
       },
       ErrorCode::kConflict, "'/elsewhere/link' of '/vm/mid' is the same file as '/vm/top'"},
      {"the data file is the image itself", top(WithDataFile("/vm/top").Bytes()),
       ErrorCode::kConflict, "data file '/vm/top' of image '/vm/top' is the same file"},
      {"an undeclared backing format", top(undeclared("base")), ErrorCode::kInvalidArgument,
       "qemu-img rebase -u -F FORMAT -b 'base' '/vm/top'"},
      {"a json: name without a driver", top(undeclared(R"(json:{"file.filename":"/b"})")),
       ErrorCode::kInvalidArgument, "has no declared format"},
      {"undeclared, on the network", top(undeclared("nbd://host/x")), ErrorCode::kInvalidArgument,
       "has no declared format"},
      {"qed cannot declare qcow2", top(QedImage{.features = 1, .backing = "base"}.Bytes()),
       ErrorCode::kInvalidArgument, "qed can declare none but raw; convert '/vm/top' to qcow2"},
      {"a format that cannot be followed", over("base", "vhd"), ErrorCode::kUnsupported,
       "backing file '/vm/base' of '/vm/top': the image format 'vhd' cannot be followed"},
      {"qcow cannot declare any", top(QcowImage{.backing = "base"}.Bytes()),
       ErrorCode::kInvalidArgument, "qcow can declare none; convert '/vm/top' to qcow2"},
      {"a wrapper that the header does not declare",
       over(R"(json:{"driver":"throttle","file":{"driver":"raw","file.filename":"/b"}})", "raw"),
       ErrorCode::kInvalidArgument, "the header declares the format raw, its json: name throttle"},
      {"no extent", top(Descriptor("RW 8 FLAT \"gone\" 0\n")), ErrorCode::kNotFound,
       "extent '/vm/gone' of image '/vm/top' does not exist"},
      {"the descriptor is its own extent", top(Descriptor("RW 8 FLAT \"top\" 0\n")),
       ErrorCode::kConflict, "extent '/vm/top' of image '/vm/top' is the same file as '/vm/top'"},
      {"an extent that is no disk",
       [](MemoryMembers& members) {
         members.Add("/vm/top", Descriptor("RW 8 VMFS \"/dev/random\"\n"));
         members.AddOther("/dev/random");
       },
       ErrorCode::kInvalidArgument, "is neither a regular file nor a block device"},
      {"a sparse extent without a header",
       [](MemoryMembers& members) {
         members.Add("/vm/top", Descriptor("RW 8 SPARSE \"s001\"\n"));
         members.Add("/vm/s001", "root:x:0:0:");
       },
       ErrorCode::kCorrupt, "extent '/vm/s001' of image '/vm/top': it is not a sparse vmdk image"},
      {"an extent that lists extents",
       [](MemoryMembers& members) {
         members.Add("/vm/top", Descriptor("RW 8 SPARSE \"s001\"\n"));
         members.Add("/vm/s001", SparseVmdk(0, Descriptor("RW 8 FLAT \"/etc/shadow\" 0\n")));
       },
       ErrorCode::kUnsupported, "QEMU would open the extents that it lists"},
      {"two declarations that differ",
       over(R"(json:{"driver":"raw","file.filename":"/b"})", "qcow2"), ErrorCode::kInvalidArgument,
       "the header declares the format qcow2, its json: name raw"},
      {"a malformed header", top(Qcow2Image{.cluster_bits = 40}.Bytes()), ErrorCode::kCorrupt,
       "image '/vm/top': malformed header: cluster_bits is 40"},
      {"a malformed header below",
       [](MemoryMembers& members) {
         members.Add("/vm/top", Overlay("base", "qcow2"));
         members.Add("/vm/base", "QFI");
       },
       ErrorCode::kCorrupt, "backing file '/vm/base' of '/vm/top': the file ends too early"},
      {"a device that is no disk",
       [](MemoryMembers& members) {
         members.Add("/vm/top", Overlay("/dev/random", "raw"));
         members.AddOther("/dev/random");
       },
       ErrorCode::kInvalidArgument, "is neither a regular file nor a block device"},
      {"an unknown protocol", over("zork:x", "raw"), ErrorCode::kUnsupported,
       "the backing file of image '/vm/top': the name 'zork:x' begins with the unknown protocol"},
      {"a data file with a protocol", top(WithDataFile("nbd://host/x").Bytes()),
       ErrorCode::kUnsupported, "data file of image '/vm/top': the external data file name"},
      {"a name that no kernel takes", over("a/\n/../../../../../x", "raw"), ErrorCode::kNotFound,
       "'/vm/a/\\x0a/"},
  };
}

TEST(Chain, RefusesByTheFaultAndNeverInPart) {
  for (const Refusal& refusal : Refusals()) {
    MemoryMembers members;
    refusal.add(members);
    const auto chain = WalkChain(members, "/vm/top", std::nullopt);
    ASSERT_FALSE(chain) << refusal.reason;
    EXPECT_EQ(chain.error().code, refusal.code) << refusal.reason << chain.error().Message();
    EXPECT_THAT(chain.error().context, HasSubstr(refusal.message)) << refusal.reason;
  }
}

}  // namespace
}  // namespace openhook::image
