// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/text.h"

#include <gtest/gtest.h>

namespace openhook {
namespace {

TEST(Quote, LeavesPrintableNamesReadable) { EXPECT_EQ(Quote("/srv/a b.img"), "'/srv/a b.img'"); }

TEST(Quote, AForgedLogLineStaysOnItsLine) {
  EXPECT_EQ(Quote("/a\nallowed '/b'\\"), "'/a\\x0aallowed \\x27/b\\x27\\x5c'");
  EXPECT_EQ(Escape(std::string_view("\0\x7f\xff", 3)), "\\x00\\x7f\\xff");
}

TEST(Escape, CutsAtItsLimit) { EXPECT_EQ(Escape("abcdef", 3), "abc..."); }

TEST(OneLine, KeepsASentenceOnItsLine) {
  EXPECT_EQ(OneLine("cannot grant '/a\\x0a': no\n\x1b[1m\xff"),
            "cannot grant '/a\\x0a': no\\x0a\\x1b[1m\\xff");
}

}  // namespace
}  // namespace openhook
