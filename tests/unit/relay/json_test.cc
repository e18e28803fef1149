// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/relay/json.h"

#include <gtest/gtest.h>

namespace openhook::relay {
namespace {

TEST(ParseStrict, TakesACommand) {
  const auto command = ParseStrict(" {\"execute\":\"quit\",\"id\":[1,{\"a\":1}]}");
  ASSERT_TRUE(command);
  EXPECT_EQ(StringAt(*command, "execute"), "quit");
}

struct Bad {
  const char* text;
  const char* why;
};

class Refused : public testing::TestWithParam<Bad> {};

TEST_P(Refused, ByParseStrict) { EXPECT_FALSE(ParseStrict(GetParam().text)) << GetParam().why; }

INSTANTIATE_TEST_SUITE_P(
    Texts, Refused,
    testing::Values(
        Bad{R"({"execute":"stop","execute":"blockdev-add"})", "which one does QEMU take?"},
        Bad{R"({"execute":"x","arguments":{"a":{"filename":"/a","filename":"/b"}}})", "nested"},
        Bad{R"({"execute":"x","execut\u0065":"y"})", "twice, once by an escape"},
        Bad{"{'execute':'quit'}", "QEMU takes single quotes, RFC 8259 does not"},
        Bad{"{\"execute\":\"\xff\xfe\"}", "no UTF-8"},
        Bad{"{\"execute\":\"\xc0\xaf\"}", "overlong"}, Bad{"[{\"execute\":\"quit\"}]", "an array"},
        Bad{"quit", "a word"}, Bad{"", "nothing"}, Bad{"{} {}", "two"},
        Bad{"{\"a\":1,}", "a trailing comma"}));

TEST(ErrorAnswer, IsOneLineWithTheId) {
  const Json id = {{"a", "\n"}};
  EXPECT_EQ(ErrorAnswer(&id, "no\nway"),
            "{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\\nway\"},"
            "\"id\":{\"a\":\"\\n\"}}\r\n");
}

}  // namespace
}  // namespace openhook::relay
