// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What the library is as a file: it enters a foreign process, so what it brings along and what it
// shows there is fixed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "tests/support/child_process.h"

namespace openhook::preload {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::RunChild;

std::string ReadElf(const char* option) {
  const auto result =
      RunChild({"/usr/bin/readelf", "--wide", option, PRELOAD_LIBRARY}, {"LC_ALL=C"});
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

// Last words of the lines that contain `mark`.
std::set<std::string> LastWords(const std::string& text, const std::string& mark) {
  std::set<std::string> words;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(mark) != std::string::npos) {
      words.insert(line.substr(line.rfind(' ') + 1));
    }
  }
  return words;
}

TEST(PreloadLibrary, NeedsLibcAndNothingElse) {
  EXPECT_EQ(LastWords(ReadElf("--dynamic"), "(NEEDED)"), std::set<std::string>{"[libc.so.6]"});
}

TEST(PreloadLibrary, IsPositionIndependentToTheLastByte) {
  EXPECT_THAT(ReadElf("--dynamic"), Not(HasSubstr("TEXTREL")));
}

TEST(PreloadLibrary, ShowsExactlyWhatItInterposes) {
  const std::set<std::string> intended = {
      "open",       "open64",        "openat",     "openat64",   "__open_2",     "__open64_2",
      "__openat_2", "__openat64_2",  "creat",      "creat64",    "fopen",        "fopen64",
      "mkstemp",    "mkstemp64",     "mkostemp",   "mkostemp64", "stat",         "stat64",
      "lstat",      "lstat64",       "fstatat",    "fstatat64",  "statx",        "__xstat",
      "__xstat64",  "__lxstat",      "__lxstat64", "__fxstatat", "__fxstatat64", "access",
      "faccessat",  "euidaccess",    "eaccess",    "unlink",     "unlinkat",     "remove",
      "realpath",   "__realpath_chk"};
  std::set<std::string> shown;
  std::istringstream lines(ReadElf("--dyn-syms"));
  for (std::string line; std::getline(lines, line);) {
    const bool defined =
        line.find(" GLOBAL ") != std::string::npos && line.find(" UND ") == std::string::npos;
    if (defined) {
      shown.insert(line.substr(line.rfind(' ') + 1));
    }
  }
  EXPECT_EQ(shown, intended);
}

}  // namespace
}  // namespace openhook::preload
