// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/backing_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

struct Row {
  const char* image;
  const char* name;
  const char* spelled;
  RelativeTo relative_to;
};

TEST(BackingName, FilesAreSpelledAsQemuSpellsThem) {
  constexpr auto kNothing = RelativeTo::kNothing;
  constexpr auto kImage = RelativeTo::kImageDirectory;
  constexpr auto kCwd = RelativeTo::kWorkingDirectory;
  const Row rows[] = {
      {"/vm/top", "/srv/base", "/srv/base", kNothing},
      {"/vm/top", "/srv//./x/../base", "/srv//./x/../base", kNothing},
      {"/vm/top", "base", "/vm/base", kImage},
      {"/vm/sub/top", "../base", "/vm/sub/../base", kImage},
      {"/vm//top", "./base", "/vm//./base", kImage},
      {"top", "base", "base", kImage},
      {"sub/top", "../base", "sub/../base", kImage},
      {"/top", "base", "/base", kImage},
      {"/vm/top", "./a:b", "/vm/./a:b", kImage},
      {"/vm/top", "sub/a:b", "/vm/sub/a:b", kImage},
      {"/vm/top", "/srv/a:b", "/srv/a:b", kNothing},
      {"/vm/top", " base", "/vm/ base", kImage},
      {"/vm/top", "JSON{}", "/vm/JSON{}", kImage},
      {"/vm/top", "file:/srv/base", "/srv/base", kNothing},
      {"/vm/top", "file:///srv/base", "///srv/base", kNothing},
      {"/vm/top", "file:base", "base", kCwd},
      {"/vm/top", "file:a:b", "./a:b", kCwd},
      {"/vm/top", "file:sub/a:b", "sub/a:b", kCwd},
      {"/vm/top", "host_device:/dev/sdb", "/dev/sdb", kNothing},
      {"/vm/top", "host_cdrom:/dev/sr0", "/dev/sr0", kNothing},
  };
  for (const Row& row : rows) {
    const auto layers = ParseBackingName(row.name, row.image);
    ASSERT_TRUE(layers) << row.name << ": " << layers.error().Message();
    ASSERT_EQ(layers->size(), 1U);
    const BackingLayer& layer = layers->front();
    EXPECT_EQ(layer.target.kind, TargetKind::kFile) << row.name;
    EXPECT_EQ(layer.target.name, row.spelled) << row.name;
    EXPECT_EQ(layer.target.relative_to, row.relative_to) << row.name;
    EXPECT_EQ(layer.format, std::nullopt);
    EXPECT_EQ(layer.below, Below::kAsItsHeaderSays);
  }
}

TEST(BackingName, NetworkNamesAreKeptAsTheyAre) {
  for (const char* name :
       {"nbd:localhost:10809", "nbd:unix:/run/nbd.sock", "nbd://host/export",
        "nbd+unix:///?socket=s", "rbd:pool/image", "iscsi://host/target/1", "iser://host/target/1",
        "http://host/base", "https://host/base", "ftp://host/base", "ftps://host/base",
        "ssh://host/base", "gluster://host/vol/base", "gluster+tcp://host/vol/base",
        "nfs://host/base"}) {
    const auto layers = ParseBackingName(name, "/vm/top");
    ASSERT_TRUE(layers) << name << ": " << layers.error().Message();
    EXPECT_EQ(layers->front().target.kind, TargetKind::kNetwork) << name;
    EXPECT_EQ(layers->front().target.name, name);
  }
}

TEST(BackingName, RefusesWhatCannotBeFollowed) {
  const struct {
    const char* reason;
    std::string name;
    ErrorCode code;
    const char* message;
  } rows[] = {
      {"says nothing", "", ErrorCode::kInvalidArgument, "is empty"},
      {"a NUL byte", std::string("a\0b", 3), ErrorCode::kInvalidArgument, "NUL"},
      {"nothing behind file:", "file:", ErrorCode::kInvalidArgument, "nothing behind its colon"},
      {"an unknown protocol", "zork:base", ErrorCode::kUnsupported,
       "unknown protocol 'zork'; if it is a file name with a colon, write './zork:base'"},
      {"a name with a colon", "vm1:disk.qcow2", ErrorCode::kUnsupported, "'./vm1:disk.qcow2'"},
      {"an empty protocol", ":base", ErrorCode::kUnsupported, "unknown protocol ''"},
      {"protocols know no capitals", "NBD://host/x", ErrorCode::kUnsupported, "'NBD'"},
      {"a directory as a disk", "fat:/etc", ErrorCode::kUnsupported, "QEMU's driver 'fat'"},
      {"a PCI device", "nvme://0000:01:00.0/1", ErrorCode::kUnsupported, "QEMU's driver 'nvme'"},
      {"a filter over files", "blkdebug:cfg:/x", ErrorCode::kUnsupported, "'blkdebug'"},
      {"no JSON", "json:{", ErrorCode::kInvalidArgument, "is not JSON"},
  };
  for (const auto& row : rows) {
    const auto layers = ParseBackingName(row.name, "/vm/top");
    ASSERT_FALSE(layers) << row.reason;
    EXPECT_EQ(layers.error().code, row.code) << row.reason;
    EXPECT_THAT(layers.error().context, HasSubstr(row.message)) << row.reason;
  }
}

TEST(ExtentName, IsBesideItsDescriptor) {
  EXPECT_EQ(ParseExtentName("a-flat.vmdk", "/vm/a.vmdk")->name, "/vm/a-flat.vmdk");
  EXPECT_EQ(ParseExtentName("../../etc/shadow", "/vm/a.vmdk")->name, "/vm/../../etc/shadow");
  EXPECT_EQ(ParseExtentName("/dev/sda", "/vm/a.vmdk")->name, "/dev/sda");
  // Joined with a directory, what looks like a protocol is none.
  EXPECT_EQ(ParseExtentName("nbd:host:1", "/vm/a.vmdk")->name, "/vm/nbd:host:1");
  EXPECT_EQ(ParseExtentName("nbd:host:1", "/vm/a.vmdk")->kind, TargetKind::kFile);
  EXPECT_EQ(ParseExtentName("nbd:host:1", "a.vmdk")->kind, TargetKind::kNetwork);
  EXPECT_EQ(ParseExtentName("file:x", "a.vmdk")->name, "x");
}

TEST(ExtentName, RefusesWhatCannotBeFollowed) {
  for (const char* name : {"json:{'driver':'file'}", "fat:/etc", "zork:x", ""}) {
    EXPECT_FALSE(ParseExtentName(name, "a.vmdk")) << name;
  }
}

TEST(DataFileName, IsAPathFromTheWorkingDirectory) {
  EXPECT_EQ(ParseDataFileName("/srv/data")->relative_to, RelativeTo::kNothing);
  EXPECT_EQ(ParseDataFileName("data.raw")->name, "data.raw");
  EXPECT_EQ(ParseDataFileName("data.raw")->relative_to, RelativeTo::kWorkingDirectory);
  EXPECT_EQ(ParseDataFileName("./a:b")->name, "./a:b");
}

TEST(DataFileName, RefusesWhatQemusReadDifferently) {
  for (const char* name : {"nbd://host/x", "json:{\"driver\":\"file\"}", "a:b", "file:/x"}) {
    const auto target = ParseDataFileName(name);
    ASSERT_FALSE(target) << name;
    EXPECT_THAT(target.error().context, HasSubstr("store an absolute path"));
  }
  EXPECT_FALSE(ParseDataFileName(""));
}

}  // namespace
}  // namespace openhook::image
