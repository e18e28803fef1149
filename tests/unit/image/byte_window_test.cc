// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/byte_window.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "tests/fuzz/memory_members.h"

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

TEST(ByteWindow, OneReadServesAWholeHeader) {
  const MemorySource source(std::string(100'000, 'x'));
  ByteWindow window(source);
  EXPECT_EQ(window.Prefix(128)->size(), 128U);
  EXPECT_EQ(window.At(0, 104, "a")->size(), 104U);
  EXPECT_EQ(window.At(4088, 8, "b")->size(), 8U);
  EXPECT_EQ(source.Reads(), 1U);
}

TEST(ByteWindow, ReadsAcrossTheEndOfTheFirstChunk) {
  std::string bytes(5000, 'x');
  bytes[4095] = 'a';
  bytes[4096] = 'b';
  const MemorySource source(bytes);
  ByteWindow window(source);
  ASSERT_TRUE(window.At(0, 8, "start"));
  EXPECT_EQ(window.At(4095, 2, "middle").value(), "ab");
  EXPECT_EQ(window.At(0, 1, "back again").value(), "x");
}

TEST(ByteWindow, ALargeFirstClusterCostsFewReads) {
  const MemorySource source(std::string(2 << 20, 'x'));
  ByteWindow window(source);
  for (std::uint64_t at = 0; at < 2 << 20; at += 8) {
    ASSERT_TRUE(window.At(at, 8, "an extension"));
  }
  EXPECT_LE(source.Reads(), 40U);
}

TEST(ByteWindow, AShortFileIsReportedByTheFieldThatIsMissing) {
  const MemorySource source("0123456789");
  ByteWindow window(source);
  const auto bytes = window.At(8, 4, "the name");
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(bytes.error().context,
              HasSubstr("the name needs 4 bytes at byte 8, and only 2 are there"));
}

TEST(ByteWindow, OffsetsNearTheLimitOfIntegersAreJustMissing) {
  const MemorySource source("0123456789");
  ByteWindow window(source);
  ASSERT_TRUE(window.At(0, 8, "start"));
  EXPECT_FALSE(window.At(UINT64_MAX, 8, "far away"));
  EXPECT_FALSE(window.At(UINT64_MAX - 4, 8, "far away"));
}

TEST(ByteWindow, APrefixOfAnEmptyFileIsEmpty) {
  const MemorySource source("");
  EXPECT_EQ(ByteWindow(source).Prefix(128).value(), "");
}

TEST(FdByteSource, ReadsAtOffsetsAndStopsAtTheEnd) {
  UniqueFd file(::memfd_create("image", MFD_CLOEXEC));
  ASSERT_EQ(::write(file.Get(), "0123456789", 10), 10);
  const FdByteSource source{IoFd(std::move(file))};
  std::string buffer(8, '-');
  EXPECT_EQ(source.ReadAt(6, buffer).value(), 4U);
  EXPECT_EQ(buffer, "6789----");
  EXPECT_EQ(source.ReadAt(100, buffer).value(), 0U);
  EXPECT_EQ(source.ReadAt(UINT64_MAX - 2, buffer).value(), 0U);
}

TEST(FdByteSource, SaysWhyADescriptorCannotBeRead) {
  const FdByteSource source{IoFd(UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)))};
  std::string buffer(8, '-');
  const auto count = source.ReadAt(0, buffer);
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().sys_errno, EISDIR);
  EXPECT_THAT(count.error().context, HasSubstr("at byte 0"));
}

TEST(ByteWindow, ReadsATextUpToItsEndOrItsLimit) {
  const MemorySource source(std::string("abc\0def", 7));
  ByteWindow window(source);
  EXPECT_EQ(window.TextAt(0, 3, "the text").value(), "abc");
  EXPECT_EQ(window.TextAt(4, 100, "the text").value(), "def");
  EXPECT_EQ(window.TextAt(99, 100, "the text").value(), "");
  EXPECT_EQ(window.TextAt(0, 2, "the text").error().code, ErrorCode::kLimit);
  const MemorySource large(std::string(200'000, 'x'));
  EXPECT_EQ(ByteWindow(large).TextAt(1, 200'000, "the text")->size(), 199'999U);
}

TEST(LengthOf, FindsTheEndOfTheFile) {
  for (std::size_t length = 0; length < 600; ++length) {
    EXPECT_EQ(LengthOf(MemorySource(std::string(length, 'x'))).value(), length);
  }
}

TEST(SliceSource, ShowsAPartOfAFile) {
  const MemorySource whole("0123456789");
  std::string buffer(20, '\0');
  EXPECT_EQ(SliceSource(whole, 2, 3).ReadAt(0, buffer).value(), 3U);
  EXPECT_EQ(buffer.substr(0, 3), "234");
  EXPECT_EQ(SliceSource(whole, 8, UINT64_MAX).ReadAt(1, buffer).value(), 1U);
  EXPECT_EQ(SliceSource(whole, 2, 3).ReadAt(3, buffer).value(), 0U);
  EXPECT_EQ(SliceSource(whole, UINT64_MAX, UINT64_MAX).ReadAt(5, buffer).value(), 0U);
  EXPECT_EQ(LengthOf(SliceSource(whole, 4, UINT64_MAX)).value(), 6U);
}

}  // namespace
}  // namespace openhook::image
