// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/aa_helper/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace openhook::aa_helper {
namespace {

constexpr char kUuid[] = "11111111-2222-3333-4444-555555555555";
constexpr char kName[] = "libvirt-11111111-2222-3333-4444-555555555555";

Result<Options> ParseWords(std::vector<std::string> words) {
  words.insert(words.begin(), "virt-aa-helper");
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return ParseOptions(static_cast<int>(words.size()), pointers.data());
}

std::string Complaint(const std::vector<std::string>& words) {
  const auto options = ParseWords(words);
  return options ? "" : options.error().context;
}

TEST(AaHelperOptions, WhatLibvirtdSays) {
  const auto started = ParseWords({"-c", "-u", kName});
  ASSERT_TRUE(started);
  EXPECT_EQ(started->mode, Mode::kCreate);
  EXPECT_EQ(started->uuid, kUuid);
  EXPECT_EQ(started->run, Run::kReal);
  EXPECT_EQ(started->extra, Extra::kNone);

  const auto appended = ParseWords({"-r", "-u", kName, "-F", "/srv/a"});
  ASSERT_TRUE(appended);
  EXPECT_EQ(appended->mode, Mode::kReplace);
  EXPECT_EQ(appended->extra, Extra::kAppended);
  EXPECT_EQ(appended->file, "/srv/a");

  const auto stopped = ParseWords({"-D", "-u", kName});
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->mode, Mode::kDelete);
}

TEST(AaHelperOptions, LongFormsAreTheSame) {
  const auto options = ParseWords({"--replace", "--dryrun", "--uuid", kName});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mode, Mode::kReplace);
  EXPECT_EQ(options->run, Run::kDry);
  EXPECT_EQ(ParseWords({"--add", "--uuid", kName})->mode, Mode::kAdd);
  EXPECT_EQ(ParseWords({"--remove", "--uuid", kName})->mode, Mode::kRemove);
}

TEST(AaHelperOptions, TheLastOfTwoFilesCountsAndALongFormNamesNone) {
  const auto two = ParseWords({"-r", "-u", kName, "-F", "/a", "-f", "/b"});
  ASSERT_TRUE(two);
  EXPECT_EQ(two->extra, Extra::kAdded);
  EXPECT_EQ(two->file, "/b");
  EXPECT_EQ(ParseWords({"-r", "-u", kName, "--append-file", "/a"})->extra, Extra::kNone);
}

TEST(AaHelperOptions, ComplainsInTheWordsOfTheOriginal) {
  EXPECT_EQ(Complaint({"-r"}), "invalid UUID");
  EXPECT_EQ(Complaint({"-r", "-u", kUuid}), "invalid UUID");
  EXPECT_EQ(Complaint({"-r", "-u", "libvirt-../../etc/passwd"}), "invalid UUID");
  EXPECT_EQ(Complaint({"-r", "-u", std::string(kName) + "\n"}), "invalid UUID");
  EXPECT_EQ(Complaint({"-u", kName}), "bad command");
  EXPECT_EQ(Complaint({"-r", "-u", kName, "-b"}), "unsupported option");
  EXPECT_EQ(Complaint({"-r", "-u"}), "unsupported option");
}

TEST(AaHelperOptions, HelpComesFirst) {
  const auto options = ParseWords({"-r", "--help"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->mode, Mode::kHelp);
  EXPECT_NE(HelpText().find("-F | --append-file <file>"), std::string::npos);
}

}  // namespace
}  // namespace openhook::aa_helper
