// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/worker/job_wire.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/temp_tree.h"

namespace openhook::worker {
namespace {

std::span<const std::uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(JobWire, PinsAndOpensAsIfDoneHere) {
  const testing::TempTree tree;
  const std::string file = tree.File("a", "data");
  const Product pin =
      PerformEncoded(Bytes(Encode(PinJob{{{file, {file}, NewName::kAllowed, 0, 0}}, {}})));
  const auto pinned = DecodePinResult(pin.reply);
  ASSERT_TRUE(pinned) << pinned.error().Message();
  ASSERT_TRUE(pinned->front().identity && pinned->front().directory);
  const OpenIntent intent{.access = Access::kReadWrite, .append = true};
  const Product opened = PerformEncoded(Bytes(Encode(FileJob{.kind = FileJobKind::kOpen,
                                                             .path = &pinned->front().path,
                                                             .pinned = &*pinned->front().identity,
                                                             .intent = &intent})));
  EXPECT_FALSE(DecodeFileResult(opened.reply).error);
  ASSERT_TRUE(opened.file);
  EXPECT_EQ(testing::ReadAll(opened.file->Get()), "data");
}

TEST(JobWire, ErrorsArriveWithTheirCodeAndSentence) {
  const Product product =
      PerformEncoded(Bytes(Encode(PinJob{{{"/nowhere/a", {}, NewName::kRefused, 0, 0}}, {}})));
  const auto pinned = DecodePinResult(product.reply);
  ASSERT_FALSE(pinned);
  EXPECT_EQ(pinned.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(pinned.error().sys_errno, ENOENT);
  EXPECT_NE(pinned.error().context.find("/nowhere/a"), std::string::npos);
}

TEST(JobWire, WhatIsForbiddenIsRefused) {
  const testing::TempTree tree;
  const std::string file = tree.File("a");
  const Product product =
      PerformEncoded(Bytes(Encode(PinJob{{{file, {}, NewName::kRefused, 0, 0}}, {tree.root()}})));
  EXPECT_EQ(DecodePinResult(product.reply).error().code, ErrorCode::kPermission);
}

TEST(JobWire, GarbageIsAnErrorOnBothSides) {
  for (const std::string& garbage : {std::string(), std::string("\xff\xff\xff")}) {
    EXPECT_EQ(DecodeFileResult(PerformEncoded(Bytes(garbage)).reply).error->code,
              ErrorCode::kCorrupt);
    EXPECT_TRUE(DecodeFileResult(garbage).error);
    EXPECT_FALSE(DecodePinResult(garbage));
  }
}

}  // namespace
}  // namespace openhook::worker
