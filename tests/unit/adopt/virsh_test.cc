// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What needs no libvirtd; tests/adopt has one.

#include "broker/adopt/virsh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::adopt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(HostSecurity, IsReadFromCapabilities) {
  const HostSecurity security = ParseHostSecurity(
      "<capabilities><host><cpu><model>Skylake</model></cpu>\n"
      "    <secmodel>\n      <model>apparmor</model>\n      <doi>0</doi>\n    </secmodel>\n"
      "    <secmodel>\n      <model>dac</model>\n      <doi>0</doi>\n"
      "      <baselabel type='kvm'>+64055:+108</baselabel>\n"
      "      <baselabel type='qemu'>+64055:+108</baselabel>\n    </secmodel>\n");
  EXPECT_THAT(security.models, ElementsAre("apparmor", "dac"));
  EXPECT_TRUE(security.Has("apparmor"));
  EXPECT_FALSE(security.Has("selinux"));
  EXPECT_EQ(security.vm_user, "64055");
  EXPECT_THAT(ParseHostSecurity("").models, IsEmpty());
  EXPECT_THAT(ParseHostSecurity("<secmodel>cut").vm_user, IsEmpty());
}

TEST(HostSecurity, UserOfALabel) {
  EXPECT_EQ(UserOfLabel("+64055:+64055"), "64055");
  EXPECT_EQ(UserOfLabel("libvirt-qemu:kvm"), "libvirt-qemu");
  EXPECT_EQ(UserOfLabel("107"), "107");
}

TEST(Virsh, SpeaksWithThisHostsSystemDaemonOnly) {
  EXPECT_TRUE(Virsh::To("qemu:///system"));
  EXPECT_TRUE(Virsh::To("qemu+unix:///system?socket=/run/x/libvirt-sock"));
  for (const auto& [uri, says] : std::vector<std::pair<const char*, const char*>>{
           {"qemu:///session", "a user's own libvirt"},
           {"qemu+ssh://host/system", "not the libvirt of this host"},
           {"qemu:///system/../session", "a user's own libvirt"},
           {"test:///default", "not the libvirt of this host"},
           {"", "not the libvirt of this host"}}) {
    const auto virsh = Virsh::To(uri);
    ASSERT_FALSE(virsh) << uri;
    EXPECT_EQ(virsh.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(virsh.error().Message(), HasSubstr(says));
  }
}

}  // namespace
}  // namespace openhook::adopt
