// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/canonical_path.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace openhook {
namespace {

TEST(CanonicalPath, AcceptsWhatIsAlreadyCanonical) {
  for (const char* path : {"/", "/a", "/a/b.qcow2", "/a/...", "/a/.hidden", "/a/ b", "/a/\n"}) {
    const auto parsed = CanonicalPath::Parse(path);
    ASSERT_TRUE(parsed) << path;
    EXPECT_EQ(parsed->str(), path);
  }
}

TEST(CanonicalPath, RefusesEverySpellingThatTheWhitelistMustNotHold) {
  struct BadPath {
    std::string path;
    const char* reason;  // a part of the message
  };
  const std::vector<BadPath> rows = {
      {"", "begin with '/'"},
      {"a/b", "begin with '/'"},
      {"//", "empty component"},
      {"/a//b", "empty component"},
      {"/a/", "slash"},
      {"/a/./b", "'.' or '..'"},
      {"/a/../b", "'.' or '..'"},
      {"/..", "'.' or '..'"},
      {std::string("/a\0b", 4), "NUL"},
      {"/" + std::string(256, 'x'), "255"},
      {std::string(4096, '/'), "4095"},
  };
  for (const BadPath& row : rows) {
    const auto parsed = CanonicalPath::Parse(row.path);
    ASSERT_FALSE(parsed) << row.path;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(parsed.error().context.find(row.reason), std::string::npos) << parsed.error().context;
  }
}

TEST(CanonicalPath, KnowsItsParentAndItsName) {
  const auto path = CanonicalPath::Parse("/a/b").value();
  EXPECT_EQ(path.Name(), "b");
  EXPECT_EQ(path.Parent().str(), "/a");
  EXPECT_EQ(path.Parent().Parent().str(), "/");
  EXPECT_EQ(path.Parent().Parent().Parent().str(), "/");
}

TEST(CanonicalPath, ContainsComparesWholeComponents) {
  const auto dir = CanonicalPath::Parse("/a/b").value();
  EXPECT_TRUE(dir.Contains(dir));
  EXPECT_TRUE(dir.Contains(CanonicalPath::Parse("/a/b/c").value()));
  EXPECT_FALSE(dir.Contains(CanonicalPath::Parse("/a/bc").value()));
  EXPECT_FALSE(dir.Contains(CanonicalPath::Parse("/a").value()));
  EXPECT_TRUE(CanonicalPath::Parse("/").value().Contains(dir));
}

TEST(CanonicalPath, JoinTakesOneComponentOnly) {
  const auto dir = CanonicalPath::Parse("/a").value();
  EXPECT_EQ(dir.Join("b")->str(), "/a/b");
  EXPECT_EQ(CanonicalPath::Parse("/")->Join("b")->str(), "/b");
  for (const std::string& name : {std::string(""), std::string("."), std::string(".."),
                                  std::string("b/c"), std::string("b\0", 2)}) {
    EXPECT_FALSE(dir.Join(name));
  }
}

TEST(LexicalClean, DropsDotsAndDoubledSlashesAndKeepsDotDot) {
  EXPECT_EQ(LexicalClean("/a//./b/", "").value(), "/a/b");
  EXPECT_EQ(LexicalClean("///", "").value(), "/");
  EXPECT_EQ(LexicalClean("/a/../b", "").value(), "/a/../b");
  EXPECT_EQ(LexicalClean("x/../b.img", "/srv/vm").value(), "/srv/vm/x/../b.img");
}

TEST(LexicalClean, RefusesWhatItCannotMakeAbsolute) {
  EXPECT_FALSE(LexicalClean("", "/"));
  EXPECT_FALSE(LexicalClean("a", ""));
  EXPECT_FALSE(LexicalClean("a", "relative"));
  EXPECT_FALSE(LexicalClean(std::string("/a\0b", 4), "/"));
  EXPECT_FALSE(LexicalClean("/" + std::string(4095, 'x'), "/"));
}

TEST(FoldDotDot, FoldsOverRealDirectoriesOnly) {
  const auto only_sub = [](std::string_view dir) { return dir == "/x/sub"; };
  EXPECT_EQ(FoldDotDot("/x/sub/../base.qcow2", only_sub), "/x/base.qcow2");
  EXPECT_EQ(FoldDotDot("/x/link/../base.qcow2", only_sub), "");
  EXPECT_EQ(FoldDotDot("/../x", only_sub), "/x");
  EXPECT_EQ(FoldDotDot("/plain/name", only_sub), "/plain/name");
}

RC_GTEST_PROP(LexicalClean, WithoutDotDotItsResultIsCanonical, (const std::string& raw)) {
  const auto clean = LexicalClean(raw, "/cwd");
  RC_PRE((clean.has_value() && clean->find("..") == std::string::npos));
  const auto parsed = CanonicalPath::Parse(*clean);
  RC_ASSERT((parsed.has_value() || clean->size() > 255));
}

RC_GTEST_PROP(CanonicalPath, ParsingIsIdempotent, (const std::string& raw)) {
  const auto parsed = CanonicalPath::Parse("/" + raw);
  RC_PRE(parsed.has_value());
  RC_ASSERT(CanonicalPath::Parse(parsed->str()).value() == *parsed);
}

}  // namespace
}  // namespace openhook
