// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/ctl/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/ctl/run_ctl.h"

namespace openhook::ctl {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct BadCommandLine {
  const char* reason;
  std::vector<std::string> arguments;
  const char* message;
};

class UsageError : public testing::TestWithParam<BadCommandLine> {};

TEST_P(UsageError, ExitsWith2AndSaysWhatIsWrong) {
  const CtlRun run = RunCtl(GetParam().arguments);
  EXPECT_EQ(run.status, kExitUsage) << run.err;
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, HasSubstr(GetParam().message));
}

const BadCommandLine kBadCommandLines[] = {
    {"no subcommand", {}, "subcommand is required"},
    {"unknown subcommand", {"plot"}, "there is no subcommand 'plot'"},
    {"unknown subcommand that would disturb a terminal", {"a\x1b"}, "'a\\x1b'"},
    {"unknown option", {"list", "--colour"}, "--colour"},
    {"vm is no uuid", {"--vm", "vm1", "list"}, "'vm1' is not a UUID"},
    {"vm tries to leave the run dir", {"--vm", "../../etc", "list"}, "is not a UUID"},
    {"vm and socket",
     {"--vm", "4dea22b3-1d52-d8f3-2516-782e98ab3fa0", "--socket", "/s", "list"},
     "excludes"},
    {"relative run dir", {"--run-dir", "run", "list"}, "'run' is not an absolute path"},
    {"grant without a path", {"grant"}, "path is required"},
    {"grant of a relative path", {"grant", "disk.img"}, "'disk.img' is not an absolute path"},
    {"grant of an empty path", {"grant", ""}, "'' is not an absolute path"},
    {"grant of an endless name", {"grant", "/" + std::string(5000, 'x')}, "4095"},
    {"write and create", {"grant", "/a", "--write", "--create"}, "excludes"},
    {"chain and create", {"grant", "/a", "--chain", "--create"}, "excludes"},
    {"format without chain", {"grant", "/a", "--format", "raw"}, "--chain"},
    {"empty lease", {"grant", "/a", "--lease", ""}, "must not be empty"},
    {"lease too long", {"grant", "/a", "--lease", std::string(129, 'l')}, "129 bytes"},
    {"source too long", {"grant", "/a", "--source", std::string(257, 's')}, "257 bytes"},
    {"revoke of nothing", {"revoke"}, "a path or --lease"},
    {"revoke of a relative path", {"revoke", "a"}, "'a' is not an absolute path"},
    {"explain without a path", {"explain"}, "path is required"},
    {"explain both", {"explain", "/a", "--write", "--create"}, "excludes"},
    {"chain without an image", {"chain"}, "image is required"},
    {"last is no number", {"watch", "--last", "many"}, "--last"},
    {"last is negative", {"watch", "--last", "-1"}, "--last"},
};

INSTANTIATE_TEST_SUITE_P(CommandLine, UsageError, testing::ValuesIn(kBadCommandLines),
                         [](const auto& test) {
                           std::string name = test.param.reason;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST(Help, IsNoErrorAndHasAnExampleForEachSubcommand) {
  EXPECT_EQ(RunCtl({"--help"}).status, kExitDone);
  for (const char* subcommand :
       {"status", "list", "grant", "revoke", "chain", "plan", "explain", "watch"}) {
    const CtlRun run = RunCtl({subcommand, "--help"});
    EXPECT_EQ(run.status, kExitDone);
    EXPECT_THAT(run.out, HasSubstr(std::string("openhookctl ") + subcommand));
    EXPECT_THAT(run.out, HasSubstr("Example"));
  }
}

TEST(Version, IsPrinted) { EXPECT_THAT(RunCtl({"--version"}).out, HasSubstr("openhookctl 0.")); }

}  // namespace
}  // namespace openhook::ctl
