// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"

namespace openhook::relay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Frames = std::vector<std::string>;

Frames FramesOf(const std::string& bytes) {
  CommandFramer framer;
  Frames frames;
  EXPECT_TRUE(framer.Add(bytes, &frames));
  return frames;
}

TEST(CommandFramer, CutsConcatenatedCommandsAndKeepsTheirBytes) {
  EXPECT_THAT(FramesOf(R"({"a":1}{"b":[2,{"c":3}]})"
                       "\r\n  {\n \"d\" :\n4}"),
              ElementsAre(R"({"a":1})",
                          R"({"b":[2,{"c":3}]})"
                          "\r\n",
                          "  {\n \"d\" :\n4}"));
}

TEST(CommandFramer, IsNotMisledByBracketsAndQuotesInStrings) {
  const std::string tricky = R"({"a":"}]{\"","b\\":"\\"})";
  EXPECT_THAT(FramesOf(tricky + tricky), ElementsAre(tricky, tricky));
}

TEST(CommandFramer, GivesTheSameBytesByteByByte) {
  const std::string bytes = R"( {"a":"x\"}"} [1,{"b":2}] junk)"
                            "\n{}";
  CommandFramer framer;
  Frames frames;
  for (const char c : bytes) {
    ASSERT_TRUE(framer.Add({&c, 1}, &frames));
  }
  std::string joined;
  for (const std::string& frame : frames) {
    joined += frame;
  }
  EXPECT_EQ(joined, bytes);
  EXPECT_EQ(frames.size(), FramesOf(bytes).size());
}

TEST(CommandFramer, AnArrayIsOneFrameWhateverIsInIt) {
  EXPECT_THAT(FramesOf(R"([{"execute":"quit"}])"), ElementsAre(R"([{"execute":"quit"}])"));
}

TEST(CommandFramer, JunkEndsWithItsLine) {
  EXPECT_THAT(FramesOf("quit {\"a\"\n{}"), ElementsAre("quit {\"a\"\n", "{}"));
}

TEST(CommandFramer, RefusesDeepNesting) {
  CommandFramer framer;
  Frames frames;
  const auto added = framer.Add(std::string(limits::kMaxMonitorDepth + 1, '['), &frames);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kLimit);
}

TEST(CommandFramer, RefusesBracketsThatDoNotMatch) {
  CommandFramer framer;
  Frames frames;
  EXPECT_EQ(framer.Add("{]", &frames).error().code, ErrorCode::kCorrupt);
}

TEST(CommandFramer, RefusesACommandThatNeverEndsWithoutKeepingIt) {
  CommandFramer framer;
  Frames frames;
  const std::string chunk(std::size_t{64} << 10, 'x');
  ASSERT_TRUE(framer.Add("{\"", &frames));
  std::size_t taken = 0;
  while (taken < std::size_t{100} << 20 && framer.Add(chunk, &frames)) {
    taken += chunk.size();
  }
  EXPECT_LE(taken, limits::kMaxMonitorCommand);
  EXPECT_THAT(frames, IsEmpty());
}

TEST(CommandFramer, BlanksWithoutEndAreNoCommand) {
  CommandFramer framer;
  Frames frames;
  const std::string blanks(std::size_t{1} << 20, '\n');
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(framer.Add(blanks, &frames));
  }
  ASSERT_TRUE(framer.Add("{}", &frames));
  EXPECT_LE(frames.front().size(), limits::kMaxMonitorDepth + 2);
}

TEST(LineSplitter, KeepsEveryByte) {
  LineSplitter splitter;
  std::vector<LineSplitter::Line> lines;
  splitter.Add("{\"a\":1}\r\n{\"b\"", &lines);
  splitter.Add(":2}\r\n", &lines);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].bytes + lines[1].bytes, "{\"a\":1}\r\n{\"b\":2}\r\n");
  EXPECT_TRUE(lines[0].whole && lines[1].whole);
}

TEST(LineSplitter, PassesOn100MegabytesWithoutALineUnreadAndUnkept) {
  LineSplitter splitter;
  const std::string chunk(std::size_t{1} << 20, 'x');
  std::size_t passed = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<LineSplitter::Line> lines;
    splitter.Add(chunk, &lines);
    for (const auto& line : lines) {
      EXPECT_FALSE(line.whole);
      passed += line.bytes.size();
    }
  }
  EXPECT_GE(passed, (std::size_t{99} << 20));
  std::vector<LineSplitter::Line> lines;
  splitter.Add("}\n{}\n", &lines);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_FALSE(lines[0].whole) << "the tail of an unread line is not a line";
  EXPECT_TRUE(lines[1].whole);
}

}  // namespace
}  // namespace openhook::relay
