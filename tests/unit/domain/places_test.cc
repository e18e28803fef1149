// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/domain/xml.h"

namespace openhook::domain {
namespace {

constexpr std::string_view kDefinition =
    R"(<?xml version='1.0'?>
<!-- <emulator>not this one</emulator> -->
<domain type='kvm'>
  <name>gr&#xfc;&#xdf;e</name>
  <description>ä &lt;emulator> ]]&gt; <![CDATA[<seclabel model='dac'/>]]></description>
  <devices>
    <disk type='file'><source file='/a'><seclabel model='dac' relabel='no'/></source></disk>
    <emulator a='>'>/usr/bin/qemu</emulator>
  </devices>
  <seclabel type='none' model='dac'/>
  <seclabel type='static' model='apparmor' relabel='no'>
    <label>libvirt-1</label>
  </seclabel >
</domain>
)";

std::string_view At(const Span& span) {
  return kDefinition.substr(span.begin, span.end - span.begin);
}

Places PlacesIn(std::string_view text) {
  const auto root = ParseXml(text);
  return root ? PlacesOf(*root) : Places();
}

TEST(Places, AreThoseOfTheElementsAndNotOfTextThatLooksLikeThem) {
  const Places places = PlacesIn(kDefinition);
  EXPECT_EQ(At(places.emulator), "<emulator a='>'>/usr/bin/qemu</emulator>");
  EXPECT_EQ(places.emulator_path, "/usr/bin/qemu");
  ASSERT_EQ(places.labels.size(), 2U);
  EXPECT_EQ(At(places.labels[0].span), "<seclabel type='none' model='dac'/>");
  EXPECT_EQ(places.labels[0].type, "none");
  EXPECT_TRUE(At(places.labels[1].span).ends_with("</seclabel >"));
  EXPECT_EQ(places.labels[1].label, "libvirt-1");
  EXPECT_EQ(places.labels[1].relabel, "no");
  EXPECT_EQ(At(places.before_new_label), At(places.labels[1].span));
  EXPECT_TRUE(AreIn(places, kDefinition));
}

TEST(Places, OfADefinitionWithoutLabelsAreBehindTheDevices) {
  constexpr std::string_view kText = "<domain><devices></devices><other/></domain>";
  const Places places = PlacesIn(kText);
  EXPECT_TRUE(places.emulator.IsEmpty());
  EXPECT_EQ(kText.substr(places.before_new_label.end), "<other/></domain>");
  EXPECT_TRUE(AreIn(places, kText));
}

TEST(Places, AreNoneWhereThereAreMoreLabelsThanAnyDomainHas) {
  std::string text = "<domain><devices><emulator>/q</emulator></devices>";
  for (int i = 0; i < 65; ++i) {
    text += "<seclabel model='dac'/>";
  }
  EXPECT_TRUE(PlacesIn(text + "</domain>").emulator.IsEmpty());
}

TEST(Places, ThatAreNotInTheTextAreFound) {
  const Places good = PlacesIn(kDefinition);
  ASSERT_TRUE(AreIn(good, kDefinition));
  Places bad = good;
  bad.emulator.end = kDefinition.size() + 1;
  EXPECT_FALSE(AreIn(bad, kDefinition));
  bad = good;
  bad.emulator.begin += 1;
  EXPECT_FALSE(AreIn(bad, kDefinition));
  bad = good;
  bad.emulator.end = bad.emulator.begin - 1;
  EXPECT_FALSE(AreIn(bad, kDefinition));
  bad = good;
  bad.labels[0].span = good.emulator;
  EXPECT_FALSE(AreIn(bad, kDefinition));
  bad = good;
  bad.labels[1].span = bad.labels[0].span;
  EXPECT_FALSE(AreIn(bad, kDefinition)) << "two that overlap";
  bad = good;
  bad.before_new_label = {0, 5};
  EXPECT_FALSE(AreIn(bad, kDefinition));
}

TEST(Places, OfANewLabelAreNotInsideOfWhatIsExchanged) {
  constexpr std::string_view kText =
      "<domain><devices><emulator><!--<devices>--></emulator></devices></domain>";
  Places places = PlacesIn(kText);
  ASSERT_TRUE(AreIn(places, kText));
  places.before_new_label.begin = kText.rfind("<devices>");
  places.before_new_label.end =
      places.before_new_label.begin + std::string_view("<devices>").size();
  EXPECT_FALSE(AreIn(places, kText));
}

}  // namespace
}  // namespace openhook::domain
