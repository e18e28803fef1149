// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What a hostile author can put into a definition gets one clear error.

#include "broker/domain/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/base/limits.h"

namespace openhook::domain {
namespace {

using testing::HasSubstr;

struct BadXml {
  const char* name;
  std::string text;
  ErrorCode code;
  const char* says;
};

std::string Repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) {
    text += piece;
  }
  return text;
}

const std::size_t kTenMegabytes = limits::kMaxDomainXml - 64;

const BadXml kBadXml[] = {
    {"Empty", "", ErrorCode::kCorrupt, "empty"},
    {"Words", "not xml at all", ErrorCode::kCorrupt, "line 1"},
    {"Cut", "<domain><name>vm", ErrorCode::kCorrupt, "line 1"},
    {"TwoRoots", "<domain/>\n<domain/>", ErrorCode::kCorrupt, "line 2"},
    {"EndsDiffer", "<domain>\n\n</devices>", ErrorCode::kCorrupt, "line 3"},
    {"AttributeTwice", "<domain a='1' a='2'/>", ErrorCode::kCorrupt, "redefined"},
    {"Doctype", "<!DOCTYPE domain><domain/>", ErrorCode::kCorrupt, "document type"},
    {"Entities", "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;&a;'>]><domain>&b;</domain>",
     ErrorCode::kCorrupt, "document type"},
    {"ExternalEntity", "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>",
     ErrorCode::kCorrupt, "document type"},
    {"ExternalDtd", "<!DOCTYPE d SYSTEM 'http://127.0.0.1/x.dtd'><domain/>", ErrorCode::kCorrupt,
     "document type"},
    {"ParameterEntity", "<!DOCTYPE d [<!ENTITY % p SYSTEM 'file:///dev/zero'>%p;]><domain/>",
     ErrorCode::kCorrupt, "document type"},
    {"UnknownEntity", "<domain>&nbsp;</domain>", ErrorCode::kCorrupt, "nbsp"},
    {"UnknownEntityInAnAttribute", "<domain a='&nbsp;'/>", ErrorCode::kCorrupt, "nbsp"},
    {"Nul", std::string("<domain>\0</domain>", 18), ErrorCode::kCorrupt, "NUL"},
    {"NulReference", "<domain>&#0;</domain>", ErrorCode::kCorrupt, "line 1"},
    {"ControlCharacter", "<domain>\x01</domain>", ErrorCode::kCorrupt, "line 1"},
    {"InvalidUtf8", "<domain>\xff\xfe</domain>", ErrorCode::kCorrupt, "not UTF-8"},
    {"OverlongUtf8", "<domain>\xc0\xaf</domain>", ErrorCode::kCorrupt, ""},
    {"Surrogate", "<domain>\xed\xa0\x80</domain>", ErrorCode::kCorrupt, ""},
    {"Utf16", std::string("<\0d\0/\0>\0", 8), ErrorCode::kCorrupt, "NUL"},
    {"ByteTooMuch", std::string(limits::kMaxDomainXml + 1, ' '), ErrorCode::kLimit, "10 MiB"},
    {"TenMegabytesOfNesting", Repeated("<a>", kTenMegabytes), ErrorCode::kLimit, "nested deeper"},
    {"TenMegabytesOfElements", "<d>" + Repeated("<a/>", kTenMegabytes) + "</d>", ErrorCode::kLimit,
     "more elements"},
    {"TenMegabytesOfComments", Repeated("<!--a-->", kTenMegabytes), ErrorCode::kCorrupt, ""},
    {"TenMegabytesOfOneName", "<" + Repeated("a", kTenMegabytes) + "/>", ErrorCode::kCorrupt, ""},
};

class Hostile : public testing::TestWithParam<BadXml> {};

TEST_P(Hostile, IsRefusedInOneSentence) {
  const auto element = ParseXml(GetParam().text);
  ASSERT_FALSE(element);
  EXPECT_EQ(element.error().code, GetParam().code) << element.error().Message();
  EXPECT_THAT(element.error().Message(), HasSubstr(GetParam().says));
  for (const char c : element.error().context) {
    EXPECT_TRUE(c >= 0x20 && c < 0x7f) << element.error().context;
  }
}

INSTANTIATE_TEST_SUITE_P(Xml, Hostile, testing::ValuesIn(kBadXml),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Xml, KeepsNamesAttributesTextAndOrder) {
  const auto root = ParseXml(
      "<?xml version='1.0' encoding='UTF-8'?>\n<!-- c --><a x='1' y='&lt;&#x41;&quot;'> t1 "
      "<b/>t2<![CDATA[ <c> ]]><b k='v'>in</b></a>");
  ASSERT_TRUE(root) << root.error().Message();
  EXPECT_EQ(root->name, "a");
  EXPECT_EQ(root->Attribute("y"), "<A\"");
  EXPECT_EQ(root->Attribute("absent"), "");
  EXPECT_EQ(root->Text(), "t1 t2 <c>");
  ASSERT_EQ(root->All("b").size(), 2U);
  EXPECT_EQ(root->All("b")[1]->Attribute("k"), "v");
  EXPECT_EQ(root->TextOf("b"), "");
  EXPECT_EQ(root->children[1].Text(), "in");
}

TEST(Xml, AnotherDeclaredEncodingChangesNothing) {
  const auto root = ParseXml("<?xml version='1.0' encoding='EUC-JP'?><a x='ü'/>");
  ASSERT_TRUE(root) << root.error().Message();
  EXPECT_EQ(root->Attribute("x"), "ü");
}

TEST(Xml, AByteOrderMarkIsSkipped) {
  const auto root = ParseXml("\xef\xbb\xbf<a/>");
  ASSERT_TRUE(root) << root.error().Message();
  EXPECT_EQ(root->name, "a");
}

TEST(Xml, NestingAtTheLimitIsRead) {
  const auto nested = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) {
      text += "<a>";
    }
    for (std::size_t i = 0; i < depth; ++i) {
      text += "</a>";
    }
    return text;
  };
  EXPECT_TRUE(ParseXml(nested(limits::kMaxXmlDepth)));
  EXPECT_FALSE(ParseXml(nested(limits::kMaxXmlDepth + 1)));
}

TEST(Xml, AttributesOfOneElementAreLimited) {
  std::string text = "<a";
  for (int i = 0; i < 2000; ++i) {
    text += " a" + std::to_string(i) + "=''";
  }
  const auto root = ParseXml(text + "/>");
  ASSERT_TRUE(root) << root.error().Message();
  EXPECT_EQ(root->attributes.size(), 2000U);
}

}  // namespace
}  // namespace openhook::domain
