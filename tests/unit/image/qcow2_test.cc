// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/qcow2.h"

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
  return ReadQcow2(window);
}

// Room up to the end of the first cluster of 512 bytes, behind a version 3 header.
constexpr std::size_t kRoom = 512 - 104;

TEST(Qcow2, ReadsAPlainImageOfEitherVersion) {
  for (const std::uint32_t version : {2U, 3U}) {
    const auto header = Read(Qcow2Image{.version = version, .size = 12345}.Bytes());
    ASSERT_TRUE(header) << header.error().Message();
    EXPECT_EQ(header->virtual_size, 12345U);
    EXPECT_FALSE(header->backing);
    EXPECT_FALSE(header->data_file);
  }
}

TEST(Qcow2, ReadsTheBackingNameAndItsFormatInEitherVersion) {
  for (const std::uint32_t version : {2U, 3U}) {
    Qcow2Image image{.version = version};
    image.extensions = {{kBackingFormatType, "raw"}};
    image.backing = "../base.img";
    const auto header = Read(image.Bytes());
    ASSERT_TRUE(header) << header.error().Message();
    EXPECT_EQ(header->backing->name, "../base.img");
    EXPECT_EQ(header->backing->format, "raw");
  }
}

TEST(Qcow2, AnUndeclaredOrEmptyBackingFormatIsNone) {
  Qcow2Image image;
  image.backing = "base.img";
  EXPECT_EQ(Read(image.Bytes())->backing->format, std::nullopt);
  image.extensions = {{kBackingFormatType, ""}};
  EXPECT_EQ(Read(image.Bytes())->backing->format, std::nullopt);
}

TEST(Qcow2, FindsWhatIsBehindPaddedExtensions) {
  // "qcow2" is 5 bytes: a reader that forgets the padding reads rubbish behind it.
  Qcow2Image image = WithDataFile("/data.raw");
  image.autoclear = 1 << 1;
  image.extensions = {{kBackingFormatType, "qcow2"},
                      {0x12345678, "unknown, 17 bytes"},
                      {kFeatureNamesType, FeatureName(0, 0, "dirty bit")},
                      {kBitmapsType, std::string(24, '\0')},
                      {kDataFileType, "/data.raw"}};
  image.backing = "base";
  const auto header = Read(image.Bytes());
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->format, "qcow2");
  EXPECT_EQ(header->data_file->name, "/data.raw");
  EXPECT_EQ(header->data_file->layout, DataFileLayout::kRaw);
}

TEST(Qcow2, ADataFileWithoutTheRawBitIsManaged) {
  EXPECT_EQ(Read(WithDataFile("d").Bytes())->data_file->layout, DataFileLayout::kManaged);
}

TEST(Qcow2, ALeftOverDataFileNameWithoutItsFeatureBitIsIgnored) {
  Qcow2Image image = WithDataFile("/data.raw");
  image.incompatible = 0;
  EXPECT_FALSE(Read(image.Bytes())->data_file);
}

TEST(Qcow2, ExtensionsMayFillTheFirstClusterWithoutAnEndMark) {
  Qcow2Image image{.cluster_bits = 9};
  image.extensions = {{kBackingFormatType, "raw"}, {0x1234, std::string(kRoom - 16 - 8, 'x')}};
  image.end_mark = false;
  ASSERT_EQ(image.Bytes().size(), 512U);
  const auto header = Read(image.Bytes());
  EXPECT_TRUE(header) << header.error().Message();
}

TEST(Qcow2, ABackingNameMayFillTheFirstCluster) {
  Qcow2Image image{.cluster_bits = 9};
  image.extensions = {{kBackingFormatType, "raw"}};
  image.end_mark = false;
  image.backing = std::string(kRoom - 16, 'b');
  ASSERT_EQ(image.Bytes().size(), 512U);
  const auto header = Read(image.Bytes());
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->name, image.backing);
  EXPECT_EQ(header->backing->format, "raw");
}

TEST(Qcow2, ABackingNameFarInTheFirstClusterIsFound) {
  // Readers that look at the first 33280 bytes only see an image without a backing file.
  Qcow2Image image{.cluster_bits = 21};
  image.backing_offset = (1 << 21) - 4;
  image.backing_size = 4;
  image.extensions = {{kBackingFormatType, "raw"}};
  image.total = (1 << 21) - 4;
  const auto header = Read(image.Bytes() + "base");
  ASSERT_TRUE(header) << header.error().Message();
  EXPECT_EQ(header->backing->name, "base");
}

TEST(Qcow2, ALongerHeaderMovesTheExtensions) {
  Qcow2Image image{.header_length = 112, .more_header = std::string(8, '\0')};
  image.extensions = {{kBackingFormatType, "raw"}};
  image.backing = "base";
  EXPECT_EQ(Read(image.Bytes())->backing->format, "raw");
  // Longer than anything that is defined today.
  image.header_length = 256;
  image.more_header.resize(256 - 104, '\0');
  EXPECT_EQ(Read(image.Bytes())->backing->format, "raw");
}

TEST(Qcow2, KnownFeaturesAreAccepted) {
  // dirty, corrupt, compression type (zstd), extended L2 entries
  Qcow2Image image{.incompatible = 0x1b, .header_length = 112};
  image.more_header = std::string("\1\0\0\0\0\0\0\0", 8);
  const auto header = Read(image.Bytes());
  EXPECT_TRUE(header) << header.error().Message();
}

TEST(Qcow2, ANameOfNoBytesIsNoBackingFile) {
  EXPECT_FALSE(Read(Qcow2Image{.backing_offset = 112, .total = 200}.Bytes())->backing);
  EXPECT_FALSE(Read(Qcow2Image{.backing_size = 8, .total = 200}.Bytes())->backing);
}

TEST(Qcow2, LuksEncryptionHeadersArePassedOver) {
  Qcow2Image image{.crypt_method = 2};
  image.extensions = {{kEncryptionType, std::string(16, '\1')}, {kBackingFormatType, "qcow2"}};
  image.backing = "base";
  EXPECT_EQ(Read(image.Bytes())->backing->format, "qcow2");
}

TEST(Qcow2, AnUnknownFeatureIsRefusedByItsName) {
  Qcow2Image image{.incompatible = (std::uint64_t{1} << 5) | (std::uint64_t{1} << 63)};
  image.extensions = {{kFeatureNamesType, FeatureName(1, 5, "a compatible one") +
                                              FeatureName(0, 5, "time travel") +
                                              FeatureName(2, 63, "an autoclear one")}};
  const auto header = Read(image.Bytes());
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(header.error().context, HasSubstr("bit 5 'time travel', bit 63 (known"));
}

TEST(Qcow2, AnUnknownFeatureIsWhatCountsWhenTheExtensionsAreOff) {
  Qcow2Image image{.incompatible = 1 << 7};
  image.extensions = {{kBitmapsType, "short"}};
  EXPECT_THAT(Read(image.Bytes()).error().context, HasSubstr("incompatible bit 7"));
}

struct Fault {
  const char* reason;
  std::string bytes;
  const char* message;
};

Qcow2Image WithExtension(Extension extension) {
  Qcow2Image image;
  image.extensions = {std::move(extension)};
  return image;
}

Qcow2Image WithName(std::string name) {
  Qcow2Image image;
  image.backing = std::move(name);
  return image;
}

std::vector<Fault> Faults() {
  Qcow2Image crypt = WithExtension({kEncryptionType, std::string(8, 'x')});
  crypt.crypt_method = 2;
  Qcow2Image twice = WithName("base");
  twice.extensions = {{kBackingFormatType, "raw"}, {kBackingFormatType, "qcow2"}};
  Qcow2Image no_data_name = WithDataFile("");
  Qcow2Image no_data_extension = WithDataFile("");
  no_data_extension.extensions.clear();
  Qcow2Image too_long = WithName(std::string(1024, 'n'));
  Qcow2Image past_cluster{.cluster_bits = 9};
  past_cluster.backing_offset = 500;
  past_cluster.backing_size = 13;
  past_cluster.total = 1024;
  Qcow2Image in_header = WithName("base");
  in_header.backing_offset = 8;
  Qcow2Image huge_extension{.cluster_bits = 9};
  huge_extension.extensions = {{0x1234, std::string(kRoom, 'x')}};
  Qcow2Image cut_extension = WithName("b");
  cut_extension.end_mark = false;
  cut_extension.backing_offset = 108;
  Qcow2Image many;
  many.extensions.assign(257, {0x1234, ""});
  Qcow2Image zstd_without_bit{.header_length = 112};
  zstd_without_bit.more_header = std::string("\1\0\0\0\0\0\0\0", 8);
  Qcow2Image unknown_compression{.incompatible = 8, .header_length = 112};
  unknown_compression.more_header = std::string("\2\0\0\0\0\0\0\0", 8);
  return {
      {"an empty file", "", "the qcow2 header needs 72 bytes at byte 0, and only 0"},
      {"another magic", std::string(200, 'x'), "begins with 'xxxx' instead of 'QFI\\xfb'"},
      {"version 1 is another format", Qcow2Image{.version = 1}.Bytes(),
       "version is 1, allowed is 2 or 3"},
      {"a version to come", Qcow2Image{.version = 4}.Bytes(), "version is 4, allowed is 2 or 3"},
      {"version 3 cut to version 2", Qcow2Image{}.Bytes().substr(0, 80),
       "the qcow2 version 3 header needs 104 bytes"},
      {"clusters of 256 bytes", Qcow2Image{.cluster_bits = 8}.Bytes(),
       "cluster_bits is 8, allowed is from 9 to 21"},
      {"clusters of 4 MiB", Qcow2Image{.cluster_bits = 22}.Bytes(), "cluster_bits is 22"},
      {"a shift by more than the word", Qcow2Image{.cluster_bits = 0xffffffff}.Bytes(),
       "cluster_bits is 4294967295"},
      {"an unknown cipher", Qcow2Image{.crypt_method = 3}.Bytes(), "crypt_method is 3"},
      {"refcounts of 128 bits", Qcow2Image{.refcount_order = 7}.Bytes(), "refcount_order is 7"},
      {"a header of version 2's length", Qcow2Image{.header_length = 72}.Bytes(),
       "header_length is 72, allowed is a multiple of 8 from 104"},
      {"an odd header length", Qcow2Image{.header_length = 109}.Bytes(), "header_length is 109"},
      {"a header beyond its cluster",
       Qcow2Image{.cluster_bits = 9, .header_length = 520, .total = 1024}.Bytes(),
       "header_length is 520, allowed is a multiple of 8 from 104 to the cluster size, 512"},
      {"zstd without its feature bit", zstd_without_bit.Bytes(),
       "compression_type is 1, allowed is 0 (zlib), since"},
      {"the feature bit without zstd", Qcow2Image{.incompatible = 8}.Bytes(),
       "compression_type is 0, allowed is 1 (zstd), since"},
      {"an unknown compression", unknown_compression.Bytes(), "compression_type is 2"},
      {"no extension names the data file", no_data_extension.Bytes(),
       "external data file feature bit is set"},
      {"an empty data file name", no_data_name.Bytes(), "external data file feature bit is set"},
      {"a NUL in the data file name", WithDataFile(std::string("a\0b", 3)).Bytes(),
       "the external data file name has a NUL byte: 'a\\x00b'"},
      {"a data file name beyond PATH_MAX", WithDataFile(std::string(4096, 'x')).Bytes(),
       "the length of the external data file name is 4096, allowed is at most 4095"},
      {"a backing name of 1024 bytes", too_long.Bytes(),
       "backing_file_size is 1024, allowed is at most 1023"},
      {"a backing name out of the cluster", past_cluster.Bytes(),
       "backing_file_size is 13, allowed is at most 1023, and at most the 12 bytes"},
      {"a backing offset out of the cluster",
       Qcow2Image{.cluster_bits = 9, .backing_offset = 513}.Bytes(),
       "backing_file_offset is 513, allowed is at most the end of the first cluster, 512"},
      {"an offset that would overflow", Qcow2Image{.backing_offset = UINT64_MAX}.Bytes(),
       "backing_file_offset is 18446744073709551615"},
      {"a name within the fixed header", in_header.Bytes(),
       "backing_file_offset is 8, allowed is at least the header length, 104"},
      {"the file ends within the name", WithName("base.img").Bytes().substr(0, 116),
       "the backing file name needs 8 bytes at byte 112, and only 4"},
      {"a NUL in the backing name", WithName(std::string("/a\0b", 4)).Bytes(),
       "the backing file name has a NUL byte"},
      {"a backing format of 16 bytes",
       WithExtension({kBackingFormatType, std::string(16, 'f')}).Bytes(),
       "the length of the backing format is 16, allowed is at most 15"},
      {"two backing formats", twice.Bytes(),
       "the backing format is given twice: first 'raw', then 'qcow2'"},
      {"a feature table with half a row",
       WithExtension({kFeatureNamesType, std::string(47, 'f')}).Bytes(),
       "the length of the feature name table is 47"},
      {"a huge feature table",
       WithExtension({kFeatureNamesType, std::string(193 * 48, 'f')}).Bytes(),
       "the length of the feature name table is 9264"},
      {"a bitmaps extension of another size", WithExtension({kBitmapsType, "1234"}).Bytes(),
       "the length of the bitmaps extension is 4, allowed is 24"},
      {"an encryption header without LUKS",
       WithExtension({kEncryptionType, std::string(16, 'x')}).Bytes(),
       "crypt_method beside a full disk encryption header is 0, allowed is 2"},
      {"an encryption header of another size", crypt.Bytes(),
       "full disk encryption header pointer is 8, allowed is 16"},
      {"an extension out of the cluster", huge_extension.Bytes(),
       "the length of the header extension at byte 104 is 408, allowed is at most 400"},
      {"no room for an extension", cut_extension.Bytes(),
       "the room left for a header extension at byte 104 is 4"},
      {"more extensions than exist", many.Bytes(),
       "the number of header extensions is 257, allowed is at most 256"},
      {"the file ends within the extensions", Qcow2Image{.end_mark = false}.Bytes(),
       "a header extension needs 8 bytes at byte 104, and only 0 are there"},
  };
}

TEST(Qcow2, RefusesEveryMalformedHeaderByItsFault) {
  for (const Fault& fault : Faults()) {
    const auto header = Read(fault.bytes);
    ASSERT_FALSE(header) << fault.reason;
    EXPECT_EQ(header.error().code, ErrorCode::kCorrupt) << fault.reason;
    EXPECT_THAT(header.error().context, HasSubstr(fault.message)) << fault.reason;
  }
}

TEST(Qcow2, AnyCutOfAGoodImageIsRefusedOrReadAlike) {
  Qcow2Image image = WithDataFile("/data.raw");
  image.extensions.push_back({kBackingFormatType, "qcow2"});
  image.backing = "base.qcow2";
  const std::string whole = image.Bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Read(whole.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace openhook::image
