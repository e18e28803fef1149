// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::launcher {
namespace {

using ::testing::HasSubstr;

TEST(FindProgram, SearchesThePathAsExecvpDoes) {
  EXPECT_EQ(FindProgram("env", "/nowhere:/usr/bin:/bin").value(), "/usr/bin/env");
  EXPECT_EQ(FindProgram("/usr/bin/env", "").value(), "/usr/bin/env");
}

TEST(FindProgram, TellsAbsentFromNotExecutable) {
  EXPECT_EQ(FindProgram("no-such-program", "/usr/bin").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(FindProgram("/usr/bin", "").error().code, ErrorCode::kNotFound);
  const auto passwd = FindProgram("passwd", "/etc");
  ASSERT_FALSE(passwd);
  EXPECT_EQ(passwd.error().code, ErrorCode::kPermission);
  EXPECT_THAT(passwd.error().Message(), HasSubstr("/etc/passwd"));
}

TEST(FindPreloadLibrary, TakesWhatIsGivenOrNothing) {
  EXPECT_EQ(FindPreloadLibrary(PRELOAD_LIBRARY).value(), PRELOAD_LIBRARY);
  EXPECT_EQ(FindPreloadLibrary("/no/such.so").error().code, ErrorCode::kNotFound);
}

TEST(FindPreloadLibrary, RefusesNamesThatTheLoaderWouldSplit) {
  for (const char* name : {"relative.so", "/with space.so", "/with:colon.so"}) {
    EXPECT_EQ(FindPreloadLibrary(name).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace openhook::launcher
