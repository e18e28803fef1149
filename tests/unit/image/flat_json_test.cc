// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/image/flat_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::image {
namespace {

using ::testing::HasSubstr;

TEST(FlatJson, NestedAndDottedKeysAreTheSame) {
  const auto json = ParseFlatJson(R"({"a":{"b":"1","c":{"d":"2"}},"a.e":"3","f":"4"})");
  ASSERT_TRUE(json) << json.error().Message();
  ASSERT_EQ(json->size(), 4U);
  EXPECT_EQ(std::get<std::string>(json->at("a.b")), "1");
  EXPECT_EQ(std::get<std::string>(json->at("a.c.d")), "2");
  EXPECT_EQ(std::get<std::string>(json->at("a.e")), "3");
  EXPECT_EQ(std::get<std::string>(json->at("f")), "4");
}

TEST(FlatJson, KeepsNullApartFromOtherValues) {
  const auto json = ParseFlatJson(R"({"n":null,"i":-1,"u":1,"d":0.5,"b":true})");
  ASSERT_TRUE(json) << json.error().Message();
  EXPECT_TRUE(std::holds_alternative<JsonNull>(json->at("n")));
  EXPECT_EQ(std::get<std::uint64_t>(json->at("u")), 1U);
  for (const char* key : {"i", "d", "b"}) {
    EXPECT_TRUE(std::holds_alternative<JsonOther>(json->at(key))) << key;
  }
}

TEST(FlatJson, ElementsOfArraysHaveTheirIndexForAKey) {
  const auto json = ParseFlatJson(R"({"a":["x",[null,1],{"c":"z"}],"b":"y","e":[],"o":{}})");
  ASSERT_TRUE(json) << json.error().Message();
  EXPECT_EQ(json->size(), 5U);
  EXPECT_EQ(std::get<std::string>(json->at("a.0")), "x");
  EXPECT_TRUE(std::holds_alternative<JsonNull>(json->at("a.1.0")));
  EXPECT_EQ(std::get<std::uint64_t>(json->at("a.1.1")), 1U);
  EXPECT_EQ(std::get<std::string>(json->at("a.2.c")), "z");
  EXPECT_EQ(std::get<std::string>(json->at("b")), "y");
}

TEST(FlatJson, StringsMayBeInSingleQuotes) {
  const auto json = ParseFlatJson(R"({'a':'b"c','d':"e'f",'g':'h\'i\\','j':"k\'\n"})");
  ASSERT_TRUE(json) << json.error().Message();
  EXPECT_EQ(std::get<std::string>(json->at("a")), "b\"c");
  EXPECT_EQ(std::get<std::string>(json->at("d")), "e'f");
  EXPECT_EQ(std::get<std::string>(json->at("g")), "h'i\\");
  EXPECT_EQ(std::get<std::string>(json->at("j")), "k'\n");
}

TEST(FlatJson, RefusesByItsFault) {
  const auto nested = [](const char* open, const char* close) {
    std::string text = "{\"a\":";
    for (int i = 0; i < 100; ++i) text += open;
    text += "1";
    for (int i = 0; i < 100; ++i) text += close;
    return text + "}";
  };
  const struct {
    std::string text;
    const char* message;
  } rows[] = {
      {"", "not JSON from byte"},
      {"{", "not JSON"},
      {"{}x", "not JSON"},
      {"[]", "not an object"},
      {"\"text\"", "not an object"},
      {"null", "not an object"},
      {"{'a':'b\"}", "not JSON"},
      {"{'a':'b\\", "not JSON"},
      {"{\"a\":\"\xff\"}", "not JSON"},
      {"{\"a\":1e999}", "not JSON"},
      {R"({"a":"1","a":"2"})", "gives 'a' twice"},
      {R"({"a":{"b":"1"},"a.b":"2"})", "gives 'a.b' twice"},
      {R"({"a":"x\u0000y"})", "NUL byte in 'x\\x00y'"},
      {R"({"a":["b"],"a.0":"c"})", "gives 'a.0' twice"},
      {nested("{\"a\":", "}"), "deeper than 64"},
      {nested("[", "]"), "deeper than 64"},
  };
  for (const auto& row : rows) {
    const auto json = ParseFlatJson(row.text);
    ASSERT_FALSE(json) << row.text;
    EXPECT_EQ(json.error().code, ErrorCode::kInvalidArgument) << row.text;
    EXPECT_THAT(json.error().context, HasSubstr(row.message)) << row.text;
  }
}

}  // namespace
}  // namespace openhook::image
