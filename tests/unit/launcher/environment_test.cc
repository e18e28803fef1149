// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::launcher {
namespace {

using ::testing::UnorderedElementsAre;

Options SomeOptions() {
  Options options;
  options.socket = "/r/open.sock";
  options.writable = {"/a", "/b"};
  return options;
}

TEST(LauncherEnvironment, AddsWhatTheShimNeedsAndKeepsTheRest) {
  EXPECT_THAT(
      ComposeEnvironment({"PATH=/bin", "EMPTY="}, SomeOptions(),
                         PreloadVariables{"/lib/shim.so", 1000}),
      UnorderedElementsAre("PATH=/bin", "EMPTY=", "OPENHOOK_SOCKET=/r/open.sock",
                           "OPENHOOK_FD=1000", "OPENHOOK_NATIVE=/a:/b", "LD_PRELOAD=/lib/shim.so"));
}

TEST(LauncherEnvironment, WhatTheProgramMayReadByItselfIsNotAskedFor) {
  Options options = SomeOptions();
  options.readable = {"/srv/firmware"};
  options.executable = {"/opt/qemu"};
  EXPECT_EQ(NativePaths(options), "/a:/b:/srv/firmware:/opt/qemu");
}

TEST(LauncherEnvironment, OtherPreloadedLibrariesStayBehindOurs) {
  EXPECT_THAT(ComposeEnvironment({"LD_PRELOAD=/x.so", "LD_PRELOADED=1"}, SomeOptions(),
                                 PreloadVariables{"/s.so", 9}),
              ::testing::IsSupersetOf({"LD_PRELOAD=/s.so:/x.so", "LD_PRELOADED=1"}));
}

TEST(LauncherEnvironment, ReplacesWhatAnOuterLauncherLeft) {
  Options options = SomeOptions();
  options.temporary = "/b";
  EXPECT_THAT(ComposeEnvironment(
                  {"OPENHOOK_FD=3", "OPENHOOK_SOCKET=/old", "TMPDIR=/tmp", "OPENHOOK_NATIVE=/old"},
                  options, PreloadVariables{"/s.so", 9}),
              UnorderedElementsAre("OPENHOOK_SOCKET=/r/open.sock", "OPENHOOK_FD=9",
                                   "OPENHOOK_NATIVE=/a:/b", "LD_PRELOAD=/s.so", "TMPDIR=/b"));
}

TEST(LauncherEnvironment, WithoutAPreloadLibraryOnlyTheTemporaryDirectoryIsNew) {
  Options options = SomeOptions();
  options.temporary = "/b";
  EXPECT_THAT(ComposeEnvironment({"PATH=/bin", "TMPDIR=/tmp"}, options, std::nullopt),
              UnorderedElementsAre("PATH=/bin", "TMPDIR=/b"));
}

}  // namespace
}  // namespace openhook::launcher
