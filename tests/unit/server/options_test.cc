// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/server/options.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/temp_tree.h"

namespace openhook::server {
namespace {

constexpr char kVm[] = "AAAAAAAA-2222-3333-4444-555555555555";

tl::expected<Options, EarlyExit> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "openhookd");
  return ParseOptions(static_cast<int>(words.size()), words.data());
}

TEST(Options, MakesPathsFromTheLowerCaseUuid) {
  const auto options =
      Parse({"--vm", kVm, "--state-dir", "/s//x/", "--run-dir", "/r", "--vm-user", "1234"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->StorePath(), "/s/x/aaaaaaaa-2222-3333-4444-555555555555.db");
  EXPECT_EQ(options->OpenSocket(), "/r/aaaaaaaa-2222-3333-4444-555555555555/open.sock");
  EXPECT_EQ(options->vm_uid, 1234U);
  EXPECT_FALSE(options->control_group);
  EXPECT_FALSE(options->label.peer_label);
  EXPECT_FALSE(options->label.unchecked);
  EXPECT_FALSE(options->label.required);
  EXPECT_EQ(options->label.vm, "aaaaaaaa-2222-3333-4444-555555555555");
}

TEST(Options, NamesOfUsersAndGroupsAreLookedUp) {
  const auto options = Parse({"--vm", kVm, "--vm-user", "nobody", "--control-group", "root",
                              "--peer-label", "libvirt-x (enforce)"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->vm_uid, 65534U);
  EXPECT_EQ(*options->control_group, 0U);
  EXPECT_EQ(*options->label.peer_label, "libvirt-x (enforce)");
}

TEST(Options, LabelsMayBeDemandedOrLeftUnchecked) {
  const auto demanding =
      Parse({"--vm", kVm, "--vm-user", "0", "--require-label", "apparmor", "--accept-complain"});
  ASSERT_TRUE(demanding);
  EXPECT_EQ(demanding->label.required, label::Module::kAppArmor);
  EXPECT_EQ(demanding->label.complain, label::ComplainMode::kAccepted);
  const auto unchecked = Parse({"--vm", kVm, "--vm-user", "0", "--peer-label", "unchecked"});
  ASSERT_TRUE(unchecked);
  EXPECT_TRUE(unchecked->label.unchecked);
  EXPECT_FALSE(unchecked->label.peer_label);
}

TEST(Options, EachMistakeIsNamed) {
  struct Row {
    std::vector<const char*> words;
    const char* named;
  };
  const std::vector<Row> rows = {
      {{}, "--vm"},
      {{"--vm", "not-a-uuid", "--vm-user", "0"}, "not a UUID"},
      {{"--vm", "../../../../../../../../etc/x-aaaaaaaa", "--vm-user", "0"}, "not a UUID"},
      {{"--vm", kVm, "--vm-user", "no such user"}, "--vm-user"},
      {{"--vm", kVm, "--vm-user", "0", "--control-group", "no such group"}, "no such group"},
      {{"--vm", kVm, "--vm-user", "0", "--state-dir", "relative"}, "--state-dir"},
      {{"--vm", kVm, "--vm-user", "0", "--surprise"}, "--surprise"},
      {{"--vm", kVm, "--vm-user", "0", "--peer-label", "unconfined"}, "--peer-label"},
      {{"--vm", kVm, "--vm-user", "0", "--require-label", "smack"}, "--require-label"},
  };
  for (const Row& row : rows) {
    const auto options = Parse(row.words);
    ASSERT_FALSE(options) << row.named;
    EXPECT_EQ(options.error().status, 2);
    EXPECT_NE(options.error().text.find(row.named), std::string::npos) << options.error().text;
  }
}

TEST(Options, AConfigurationFileHasTheSameNames) {
  const testing::TempTree tree;
  const std::string file = tree.File("conf", "vm-user = \"nobody\"\nrun-dir = \"/elsewhere\"\n");
  const auto options = Parse({"--vm", kVm, "--config", file.c_str()});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->run_dir, "/elsewhere");
  EXPECT_EQ(Parse({"--vm", kVm, "--config", file.c_str(), "--run-dir", "/r"})->run_dir, "/r");
}

TEST(Options, LocksAreBesideTheSocketsUnlessToldOtherwise) {
  const auto lock_dir = [](std::vector<const char*> words) {
    words.insert(words.end(), {"--vm", kVm, "--vm-user", "nobody"});
    const auto options = Parse(words);
    return options ? options->LockDir() : options.error().text;
  };
  EXPECT_EQ(lock_dir({}), "/var/lib/openhook/locks");
  EXPECT_EQ(lock_dir({"--state-dir", "/s"}), "/s/locks");
  EXPECT_EQ(lock_dir({"--run-dir", "/r", "--lock-dir", "/l/./x"}), "/l/x");
  EXPECT_NE(lock_dir({"--lock-dir", "locks"}).find("--lock-dir must be an absolute path"),
            std::string::npos);
  const testing::TempTree tree;
  const std::string file = tree.File("conf", "lock-dir = \"/elsewhere\"\n");
  EXPECT_EQ(lock_dir({"--config", file.c_str()}), "/elsewhere");
}

TEST(Options, HelpIsNotAnError) {
  const auto options = Parse({"--help"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().status, 0);
  EXPECT_NE(options.error().text.find("--vm-user"), std::string::npos);
}

}  // namespace
}  // namespace openhook::server
