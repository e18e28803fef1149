// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/adopt/definition_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/domain/xml.h"

namespace openhook::adopt {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Wanted kPlain{"/usr/bin/openhook-qemu", ""};
const Wanted kLabelled{"/usr/bin/openhook-qemu", "libvirt-1"};

Definition Read(const std::string& text) {
  const auto root = domain::ParseXml(text);
  EXPECT_TRUE(root) << root.error().Message();
  return {text, domain::PlacesOf(*root)};
}

std::string Machine(const std::string& labels, const std::string& emulator = "/usr/bin/qemu") {
  return "<domain type='kvm'>\n  <name>vm1</name>\n  <devices>\n    <emulator>" + emulator +
         "</emulator>\n    <disk   a=\"b\"/>\n  </devices>\n" + labels +
         "  <qemu:commandline xmlns:qemu='q'/>\n</domain>\n";
}

std::string Adopted(const std::string& text, const Wanted& wanted) {
  const auto edits = EditsToAdopt(Read(text), wanted);
  EXPECT_TRUE(edits) << edits.error().Message();
  return Apply(text, *edits);
}

std::string Released(const std::string& now, const std::string& original, const Wanted& wanted) {
  return Apply(now, EditsToRelease(Read(now), Read(original), wanted));
}

constexpr const char* kNone = "  <seclabel type='none' model='dac'/>\n";
constexpr const char* kStatic =
    "  <seclabel type='static' model='apparmor' relabel='no'>\n    <label>libvirt-1</label>\n  "
    "</seclabel>\n";

TEST(DefinitionEdit, ChangesTheEmulatorAndTheLabelAndNothingElse) {
  EXPECT_EQ(Adopted(Machine(""), kPlain), Machine(kNone, kPlain.wrapper));
  EXPECT_EQ(Adopted(Machine(""), kLabelled), Machine(std::string(kNone) + kStatic, kPlain.wrapper));
}

TEST(DefinitionEdit, HasNothingToDoASecondTime) {
  const auto edits = EditsToAdopt(Read(Adopted(Machine(""), kLabelled)), kLabelled);
  ASSERT_TRUE(edits);
  EXPECT_THAT(*edits, IsEmpty());
}

TEST(DefinitionEdit, ReplacesALabelInItsPlace) {
  const std::string before = Machine(
      "  <seclabel type='dynamic' model='apparmor' relabel='yes'/>\n"
      "  <seclabel type='dynamic' model='dac' relabel='yes'/>\n");
  EXPECT_EQ(Adopted(before, kLabelled), Machine(std::string(kStatic) + kNone, kPlain.wrapper));
}

TEST(DefinitionEdit, KeepsTheUserThatADefinitionNames) {
  const std::string user =
      "  <seclabel type='static' model='dac' relabel='%'>\n    <label>+1000:+1000</label>\n  "
      "</seclabel>\n";
  const auto with = [&](const char* word) {
    return std::string(user).replace(user.find('%'), 1, word);
  };
  EXPECT_EQ(Adopted(Machine(with("yes")), kPlain), Machine(with("no"), kPlain.wrapper));
  EXPECT_EQ(Released(Machine(with("no"), kPlain.wrapper), Machine(with("yes")), kPlain),
            Machine(with("yes")));
}

TEST(DefinitionEdit, IsTakenBackToTheLastByte) {
  for (const std::string labels : {"", "  <seclabel type='none' model='dac'/>\n",
                                   "\t<seclabel model='dac'\ttype='dynamic'/>\n  <seclabel "
                                   "model='apparmor' type='dynamic'/>\n",
                                   "  <seclabel type='none' model='apparmor'/>\n"}) {
    for (const Wanted& wanted : {kPlain, kLabelled}) {
      const std::string before = Machine(labels);
      EXPECT_EQ(Released(Adopted(before, wanted), before, wanted), before);
    }
  }
}

TEST(DefinitionEdit, LeavesWhatOthersHaveChangedMeanwhile) {
  const std::string before = Machine("");
  std::string now = Adopted(before, kLabelled);
  now.replace(now.find("vm1"), 3, "renamed");
  std::string expected = before;
  expected.replace(expected.find("vm1"), 3, "renamed");
  EXPECT_EQ(Released(now, before, kLabelled), expected);
}

TEST(DefinitionEdit, LeavesAnEmulatorAndLabelsThatAreNotOurs) {
  const std::string before = Machine("");
  const std::string now = Machine(
      "  <seclabel type='static' model='dac' relabel='no'><label>+5:+5</label></seclabel>\n",
      "/opt/qemu");
  EXPECT_EQ(Released(now, before, kLabelled), now);
}

TEST(DefinitionEdit, RefusesWhatItCannotChange) {
  for (const auto& [text, says] : std::vector<std::pair<std::string, const char*>>{
           {"<domain><devices/></domain>", "no <emulator>"},
           {"<domain><devices><emulator/></devices></domain>", "no <emulator>"},
           {Machine("<seclabel type='none'/>"), "without a model"}}) {
    const auto edits = EditsToAdopt(Read(text), kPlain);
    ASSERT_FALSE(edits);
    EXPECT_EQ(edits.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(edits.error().Message(), HasSubstr(says));
  }
}

TEST(DefinitionEdit, EscapesWhatItPutsIn) {
  const std::string text = Adopted(Machine(""), {"/a<&b", ""});
  EXPECT_EQ(Read(text).places.emulator_path, "/a<&b");
}

TEST(DefinitionEdit, WorksOnADefinitionOfOneLine) {
  const std::string before = "<domain><devices><emulator>/q</emulator></devices></domain>";
  const std::string after = Adopted(before, kLabelled);
  EXPECT_EQ(after,
            "<domain><devices><emulator>/usr/bin/openhook-qemu</emulator></devices>"
            "<seclabel type='none' model='dac'/><seclabel type='static' model='apparmor' "
            "relabel='no'><label>libvirt-1</label></seclabel></domain>");
  EXPECT_EQ(Released(after, before, kLabelled), before);
}

TEST(DefinitionEdit, IsShownAsLines) {
  const std::string before = Machine("");
  const auto edits = EditsToAdopt(Read(before), kPlain);
  ASSERT_TRUE(edits);
  EXPECT_EQ(ShowEdits(before, *edits),
            "@@ line 4 @@\n"
            "-    <emulator>/usr/bin/qemu</emulator>\n"
            "+    <emulator>/usr/bin/openhook-qemu</emulator>\n"
            "@@ line 6 @@\n"
            "   </devices>\n"
            "+  <seclabel type='none' model='dac'/>\n");
}

}  // namespace
}  // namespace openhook::adopt
