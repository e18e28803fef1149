// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The real apparmor_parser on what is rendered. It compiles without a kernel that has AppArmor;
// what the kernel then decides is tested where there is one (tests/lsm).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "broker/base/limits.h"
#include "policy/profile/apparmor_profile.h"

namespace openhook::apparmor {
namespace {

using ::testing::HasSubstr;

constexpr char kUuid[] = "11111111-2222-4333-8444-555555555555";

struct Compiled {
  int status = -1;
  std::string output;
};

long EdgesIn(const std::string& states) {
  long edges = 0;
  for (std::size_t at = states.find("->"); at != std::string::npos;
       at = states.find("->", at + 2)) {
    ++edges;
  }
  return edges;
}

// A directory with the system's abstractions and what this project installs.
class ParserTest : public ::testing::Test {
 protected:
  ParserTest() {
    std::string made = ::testing::TempDir() + "openhook-parser-XXXXXX";
    base_ = ::mkdtemp(made.data());
    const auto options = std::filesystem::copy_options::recursive |
                         std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy("/etc/apparmor.d", base_, options);
    std::filesystem::copy(APPARMOR_INSTALL, base_, options);
  }
  ~ParserTest() override { std::filesystem::remove_all(base_); }

  [[nodiscard]] std::string Template() const {
    std::ostringstream text;
    text << std::ifstream(base_ + "/openhook/TEMPLATE.qemu").rdbuf();
    return text.str();
  }

  [[nodiscard]] Compiled Run(const std::string& options, const std::string& text) const {
    std::ofstream(base_ + "/input") << text;
    const std::string command = std::string(APPARMOR_PARSER) + " -q -Q -K --base " + base_ + " " +
                                options + " " + base_ + "/input 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    Compiled compiled;
    std::array<char, 4096> buffer{};
    for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      compiled.output.append(buffer.data(), n);
    }
    compiled.status = ::pclose(pipe);
    return compiled;
  }

  std::string base_;
};

TEST_F(ParserTest, TheInstalledTemplateCompiles) {
  const Rules rules{{CanonicalPath::Parse("/srv/a.qcow2").value(), RuleAccess::kReadWrite}};
  const auto compiled =
      Run("-o /dev/null", RenderProfile(Template(), {kUuid, "web"}, rules).value());
  EXPECT_EQ(compiled.status, 0) << compiled.output;
}

TEST_F(ParserTest, OurOwnProfilesCompile) {
  for (const char* name : {"openhookd", "openhook-loader"}) {
    std::ostringstream text;
    text << std::ifstream(base_ + "/" + name).rdbuf();
    const auto compiled = Run("-o /dev/null", text.str());
    EXPECT_EQ(compiled.status, 0) << name << compiled.output;
  }
}

TEST_F(ParserTest, ANameOfAnyBytesCompiles) {
  std::string name;
  for (int byte = 1; byte < 256; ++byte) {
    if (byte != '/' && name.size() < 255) {
      name += static_cast<char>(byte);
    }
  }
  const auto compiled = Run("-o /dev/null", RenderProfile(Template(), {kUuid, name}, {}).value());
  EXPECT_EQ(compiled.status, 0) << compiled.output;
}

// The automaton of a literal path is a chain with one edge for each byte; a pattern has more edges,
// or others.
TEST_F(ParserTest, EveryByteIsTakenForItself) {
  for (int byte = 1; byte < 256; ++byte) {
    if (byte == '/') {
      continue;
    }
    const std::string path = std::string("/x") + static_cast<char>(byte) + "y";
    const Rules rules{{CanonicalPath::Parse(path).value(), RuleAccess::kReadWrite}};
    const std::string text =
        RenderProfile("\nprofile OPENHOOK_TEMPLATE {\n}\n", {kUuid, ""}, rules).value();
    const auto states = Run("-D dfa-states -o /dev/null", text);
    ASSERT_EQ(states.status, 0) << byte << states.output;
    std::ostringstream wanted;
    wanted << " 0x" << std::hex << byte << " -> {4}";
    EXPECT_THAT(states.output, HasSubstr(wanted.str())) << byte;
    EXPECT_EQ(EdgesIn(states.output), 4) << states.output;
  }
}

TEST_F(ParserTest, WhatFitsCompilesAndTheParserHasRoomLeft) {
  Rules rules;
  for (int i = 0; rules.size() < 5000; ++i) {
    Rules more = rules;
    more.emplace(
        CanonicalPath::Parse("/var/lib/libvirt/images/" + std::to_string(i * 7919 % 10007) + "-" +
                             std::string(40, static_cast<char>('a' + i % 26)) + std::to_string(i) +
                             ".qcow2")
            .value(),
        RuleAccess::kReadWrite);
    if (!CheckFits(more)) {
      break;
    }
    rules = std::move(more);
  }
  ASSERT_GT(rules.size(), 500U);
  const auto compiled = Run("-O no-expr-simplify -o /dev/null",
                            RenderProfile(Template(), {kUuid, "web"}, rules).value());
  EXPECT_EQ(compiled.status, 0) << compiled.output;
}

}  // namespace
}  // namespace openhook::apparmor
