// SPDX-License-Identifier: LGPL-2.1-or-later

#include "qemu-shim/launcher/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "qemu-shim/launcher/emulator.h"

namespace openhook::launcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kUuid = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";

std::variant<Options, EndWith> Parse(std::vector<std::string> words) {
  words.insert(words.begin(), "openhook-qemu");
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  return ParseCommandLine(static_cast<int>(words.size()), argv.data());
}

Options ParseGood(const std::vector<std::string>& words) {
  auto parsed = Parse(words);
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options{};
}

TEST(LauncherOptions, TheVmNamesTheSocket) {
  const Options options = ParseGood({"--vm", kUuid, "--", "qemu-img", "info", "-U", "x"});
  EXPECT_EQ(options.socket, std::string("/run/openhook/") + kUuid + "/open.sock");
  EXPECT_THAT(options.command, ElementsAre("qemu-img", "info", "-U", "x"));
  EXPECT_EQ(options.landlock, LandlockUse::kWhereAvailable);
  EXPECT_FALSE(options.user);
}

TEST(LauncherOptions, TheVmIsFoundInQemusOwnArguments) {
  const Options options = ParseGood({"--run-dir", "/r", "--", "qemu", "-uuid", kUuid});
  EXPECT_EQ(options.socket, std::string("/r/") + kUuid + "/open.sock");
}

TEST(LauncherOptions, OursEndAtTheDashes) {
  const Options options = ParseGood({"--socket", "/s", "--", "prog", "--socket", "/t", "--", "-h"});
  EXPECT_EQ(options.socket, "/s");
  EXPECT_THAT(options.command, ElementsAre("prog", "--socket", "/t", "--", "-h"));
}

TEST(LauncherOptions, DirectoriesMayBeRepeated) {
  const Options options = ParseGood({"--socket", "/s", "--writable", "/a", "--writable", "/b",
                                     "--readable", "/c", "--executable", "/d", "--tmp", "/e",
                                     "--user", "nobody:kvm", "--require-landlock", "--", "p"});
  EXPECT_THAT(options.writable, ElementsAre("/a", "/b", "/e"));
  EXPECT_THAT(options.readable, ElementsAre("/c"));
  EXPECT_THAT(options.executable, ElementsAre("/d"));
  EXPECT_EQ(options.temporary, "/e");
  EXPECT_EQ(options.user, "nobody:kvm");
  EXPECT_EQ(options.landlock, LandlockUse::kRequired);
}

TEST(LauncherOptions, HelpIsNoError) {
  ::testing::internal::CaptureStdout();
  const auto parsed = Parse({"--help"});
  const std::string help = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(std::get<EndWith>(parsed).status, 0);
  for (const char* word : {"--vm", "--user", "--writable", "--no-landlock", "Exit status"}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
}

TEST(LauncherOptions, WhatCannotWorkIsAUsageErrorThatSaysWhy) {
  struct Row {
    std::vector<std::string> words;
    const char* reason;
  };
  const std::vector<Row> rows = {
      {{}, "no program"},
      {{"--vm", kUuid}, "no program"},
      {{"--vm", kUuid, "--"}, "no program"},
      {{"--", "qemu"}, "which VM"},
      {{"--socket", "relative", "--", "qemu"}, "absolute"},
      {{"--socket", "/" + std::string(120, 'x'), "--", "qemu"}, "longer than 107"},
      {{"--socket", "/s", "--writable", "rel", "--", "qemu"}, "absolute"},
      {{"--socket", "/s", "--writable", "/", "--", "qemu"}, "not / itself"},
      {{"--socket", "/s", "--tmp", "/a:b", "--", "qemu"}, "colon"},
      {{"--socket", "/s", "--no-landlock", "--require-landlock", "--", "qemu"}, "excludes"},
      {{"--unknown", "--", "qemu"}, "--unknown"},
      {{"qemu"}, "qemu"},
  };
  for (const Row& row : rows) {
    ::testing::internal::CaptureStderr();
    const auto parsed = Parse(row.words);
    const std::string message = ::testing::internal::GetCapturedStderr();
    ASSERT_TRUE(std::holds_alternative<EndWith>(parsed)) << row.reason;
    EXPECT_EQ(std::get<EndWith>(parsed).status, 2);
    EXPECT_THAT(message, HasSubstr(row.reason));
  }
}

TEST(LauncherEmulator, ACallWithOptionsOfQemuNamesTheMachineByItsUuid) {
  const Options options = ParseGood(
      {"-name", "guest=vm1", "-uuid", kUuid, "-object",
       R"({"qom-type":"secret","file":"/var/lib/libvirt/qemu/domain-1-vm1/master-key.aes"})"});
  EXPECT_EQ(options.purpose, Purpose::kMachine);
  EXPECT_EQ(options.socket, std::string("/run/openhook/") + kUuid + "/open.sock");
  EXPECT_THAT(options.writable, ElementsAre("/var/lib/libvirt/qemu/domain-1-vm1"));
  EXPECT_THAT(options.command.front(), HasSubstr("qemu-system-"));
  EXPECT_EQ(options.command.size(), 7U);
}

TEST(LauncherEmulator, OnlyLibvirtsOwnObjectNamesTheMachinesDirectory) {
  const Options options =
      ParseGood({"-name", "guest=vm1", "-uuid", kUuid, "-blockdev",
                 R"({"driver":"file","filename":"/srv/images/master-key.aes"})"});
  EXPECT_TRUE(options.writable.empty());
}

TEST(LauncherEmulator, ACallWithoutAMachineIsAProbe) {
  const Options options = ParseGood({"-S", "-no-user-config", "-machine", "none"});
  EXPECT_EQ(options.purpose, Purpose::kProbe);
  EXPECT_TRUE(options.socket.empty());
}

TEST(LauncherEmulator, ALinkNamesAnotherArchitecture) {
  const auto options =
      ParseEmulatorCall({"/usr/bin/openhook-qemu-system-aarch64", "-S", "-uuid", kUuid});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->command.front(), "qemu-system-aarch64");
}

TEST(LauncherEmulator, OptionsOfOursAreNoSuchCall) {
  EXPECT_FALSE(ParseEmulatorCall({"openhook-qemu"}));
  EXPECT_FALSE(ParseEmulatorCall({"openhook-qemu", "-h"}));
  EXPECT_FALSE(ParseEmulatorCall({"openhook-qemu", "--vm", kUuid, "--", "qemu", "-S"}));
  EXPECT_FALSE(ParseEmulatorCall({"openhook-qemu", "-S", "--", "qemu"}));
}

}  // namespace
}  // namespace openhook::launcher
