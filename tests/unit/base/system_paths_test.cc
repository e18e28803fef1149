// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/base/system_paths.h"

#include <gtest/gtest.h>

namespace openhook {
namespace {

TEST(SystemPaths, CompareWholeComponents) {
  EXPECT_TRUE(IsSystemPath("/usr"));
  EXPECT_TRUE(IsSystemPath("/usr/share/qemu/bios-256k.bin"));
  EXPECT_TRUE(IsSystemPath("/dev/null"));
  EXPECT_TRUE(IsSystemPath("/dev/fd/3"));
  EXPECT_TRUE(IsSystemPath("/dev/stdout"));
  EXPECT_FALSE(IsSystemPath("/dev/fdset/1"));
  EXPECT_FALSE(IsSystemPath("/usrlocal/x"));
  EXPECT_FALSE(IsSystemPath("/dev/nullx"));
}

TEST(SystemPaths, LeaveSecretsAndDevicesToTheBroker) {
  for (const char* path : {"/etc/shadow", "/etc/libvirt/secrets/x", "/root/.ssh/id", "/dev/kvm",
                           "/dev/sda", "/dev/net/tun", "/var/lib/libvirt/images/a.qcow2"}) {
    EXPECT_FALSE(IsSystemPath(path)) << path;
  }
}

}  // namespace
}  // namespace openhook
