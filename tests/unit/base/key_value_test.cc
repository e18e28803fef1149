// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/key_value.h"

#include <gtest/gtest.h>

namespace openhook {
namespace {

TEST(KeyValue, IsReadAsItWasFormatted) {
  for (const char* value : {"a", "a b", " a", "a ", "\"a\"", "\"", "a\"", "#a", "a = b", "\r"}) {
    const auto read = ParseKeyValues(FormatKeyValue("the-key", value));
    ASSERT_TRUE(read) << value << read.error().Message();
    ASSERT_EQ(read->size(), 1U);
    EXPECT_EQ(read->front().key, "the-key");
    EXPECT_EQ(read->front().value, value);
  }
}

TEST(KeyValue, NamesTheLineThatIsNone) {
  const auto read = ParseKeyValues("# comment\n\nkey = value\nnone\n");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().context, "line 4 is no 'key = value': 'none'");
}

}  // namespace
}  // namespace openhook
