// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/event_gap.h"

#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

TEST(EventGap, ExpectsNothingBeforeTheFirstEvent) {
  EventGap gap;
  EXPECT_EQ(gap.Before(700), 0U);
}

TEST(EventGap, CountsWhatIsMissingBetweenTwoEvents) {
  EventGap gap;
  gap.Before(7);
  EXPECT_EQ(gap.Before(8), 0U);
  EXPECT_EQ(gap.Before(12), 3U);
  EXPECT_EQ(gap.Before(13), 0U);
}

TEST(EventGap, TakesANumberThatDoesNotRiseForANewBeginning) {
  EventGap gap;
  gap.Before(100);
  EXPECT_EQ(gap.Before(1), 0U);
  EXPECT_EQ(gap.Before(3), 1U);
}

}  // namespace
}  // namespace openhook::ctl
