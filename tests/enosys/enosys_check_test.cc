// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Run under `enosys openat2` only: proves that the lane tests what it says.

#include <gtest/gtest.h>

#include "broker/fs/resolve.h"

namespace openhook::fs {
namespace {

TEST(EnosysLane, ResolvesByWalking) { EXPECT_EQ(MethodInUse(), ResolveMethod::kWalk); }

}  // namespace
}  // namespace openhook::fs
