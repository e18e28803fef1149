// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/words.h"

#include <gtest/gtest.h>

namespace openhook::ctl {
namespace {

TEST(Words, NameEveryValueOfTheProtocol) {
  EXPECT_EQ(AccessWord(proto::GRANT_ACCESS_READ), "read");
  EXPECT_EQ(AccessWord(proto::GRANT_ACCESS_READ_WRITE), "read-write");
  EXPECT_EQ(AccessWord(proto::GRANT_ACCESS_CREATE), "create");
  EXPECT_EQ(KindWord(proto::FILE_KIND_REGULAR), "file");
  EXPECT_EQ(KindWord(proto::FILE_KIND_BLOCK), "block");
  EXPECT_EQ(KindWord(proto::FILE_KIND_CHARACTER), "char");
  EXPECT_EQ(KindWord(proto::FILE_KIND_FIFO), "fifo");
  EXPECT_EQ(KindWord(proto::FILE_KIND_DIRECTORY), "directory");
  EXPECT_EQ(KindWord(proto::FILE_KIND_ABSENT), "absent");
}

TEST(Words, SayUnknownForTheValuesOfANewerBroker) {
  EXPECT_EQ(AccessWord(static_cast<proto::GrantAccess>(77)), "unknown");
  EXPECT_EQ(AccessWord(proto::GRANT_ACCESS_UNSPECIFIED), "unknown");
  EXPECT_EQ(KindWord(static_cast<proto::FileKind>(77)), "unknown");
}

TEST(Words, CountThings) {
  EXPECT_EQ(Count(0, "grant"), "0 grants");
  EXPECT_EQ(Count(1, "grant"), "1 grant");
  EXPECT_EQ(Count(2, "lease"), "2 leases");
}

TEST(Words, WriteTimesInUtc) {
  EXPECT_EQ(TimeFromSeconds(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(TimeFromSeconds(1'700'000'000), "2023-11-14T22:13:20Z");
  EXPECT_EQ(TimeFromNanoseconds(1'700'000'000'042'999'999), "2023-11-14T22:13:20.042Z");
  EXPECT_EQ(TimeFromNanoseconds(-1), "1969-12-31T23:59:59.999Z");
}

TEST(Words, KeepATimeThatNoCalendarHas) {
  EXPECT_EQ(TimeFromSeconds(INT64_MAX), "@9223372036854775807Z");
}

}  // namespace
}  // namespace openhook::ctl
