// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/client/umask.h"

#include <gtest/gtest.h>

namespace openhook::client {
namespace {

TEST(Umask, IsReadFromTheStatusOfAProcess) {
  EXPECT_EQ(UmaskInStatus("Name:\tqemu\nUmask:\t0022\nState:\tR (running)\n"), 022U);
  EXPECT_EQ(UmaskInStatus("Name:\tqemu\nUmask:\t0000\n"), 0U);
}

TEST(Umask, IsTheStrictestWhereItCannotBeRead) {
  EXPECT_EQ(UmaskInStatus(""), kStrictestUmask);
  EXPECT_EQ(UmaskInStatus("Name:\tUmask:\t0000"), kStrictestUmask);
}

}  // namespace
}  // namespace openhook::client
