// SPDX-License-Identifier: LGPL-2.1-or-later

#include "broker/domain/forbidden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace openhook::domain {
namespace {

using testing::HasSubstr;

const Machine kVm1{"vm1", "11111111-2222-3333-4444-555555555555", "7-vm1"};

bool Forbids(const ForbiddenPaths& list, std::string_view path, Access access,
             Kind kind = Kind::kFile, const Machine& machine = kVm1) {
  return list.ReasonAgainst(path, access, kind, machine).has_value();
}

TEST(Forbidden, TheDefaultRefusesTheHostItself) {
  const auto list = ForbiddenPaths::Default();
  for (const char* path : {"/dev/mem",
                           "/dev/port",
                           "/proc/1/mem",
                           "/proc/kcore",
                           "/sys/power/state",
                           "/etc/shadow",
                           "/etc",
                           "/root/x.img",
                           "/root/.ssh/id_rsa",
                           "/home/u/.ssh/id_rsa",
                           "/home/u/.gnupg/x",
                           "/srv/deep/er/.ssh/authorized_keys",
                           "/home/u/.bashrc",
                           "/dev/tty1",
                           "/dev/pts/0",
                           "/dev/uinput",
                           "/var/lib/openhook/x.db",
                           "/run/openhook/x/control.sock",
                           "/var/run/openhook/x/open.sock",
                           "/run/systemd/private",
                           "/run/docker.sock",
                           "/var/lib/dpkg/status",
                           "/var/log/auth.log",
                           "/var/spool/cron/crontabs/root",
                           "/run/libvirt/libvirt-sock",
                           "/var/run/libvirt/libvirt-sock",
                           "/dev/fd/3",
                           "/lost+found/x"}) {
    EXPECT_TRUE(Forbids(list, path, Access::kRead)) << path;
  }
}

TEST(Forbidden, TheDefaultLetsAMachineHaveWhatMachinesHave) {
  const auto list = ForbiddenPaths::Default();
  for (const char* path : {"/var/lib/libvirt/images/a.qcow2",
                           "/srv/vm/a.img",
                           "/home/u/vm/a.img",
                           "/dev/sdb",
                           "/dev/vg/lv",
                           "/dev/kvm",
                           "/dev/vfio/12",
                           "/dev/net/tun",
                           "/dev/ttyS0",
                           "/dev/ptmx",
                           "/dev/bus/usb/001/002",
                           "/dev/dri/renderD128",
                           "/dev/shm/x",
                           "/run/openvswitch/vu1",
                           "/home/u/.local/share/libvirt/images/a.img",
                           "/home/u/.Xauthority",
                           "/etcetera/x",
                           "/rootless/x",
                           "/tmp/x",
                           "/dev/hwrng",
                           "/sysroot.img"}) {
    EXPECT_FALSE(Forbids(list, path, Access::kReadWrite)) << path;
  }
}

TEST(Forbidden, ProgramsAndKernelsAreForReading) {
  const auto list = ForbiddenPaths::Default();
  for (const char* path : {"/usr/share/OVMF/OVMF_CODE.fd", "/boot/vmlinuz-6.1", "/vmlinuz",
                           "/initrd.img", "/lib/firmware/x", "/etc/ceph/ceph.conf"}) {
    EXPECT_FALSE(Forbids(list, path, Access::kRead)) << path;
    EXPECT_TRUE(Forbids(list, path, Access::kReadWrite)) << path;
    EXPECT_TRUE(Forbids(list, path, Access::kCreate)) << path;
  }
}

TEST(Forbidden, OnlyItsOwnStateIsAMachines) {
  const auto list = ForbiddenPaths::Default();
  const Machine other{"vm2", "", "8-vm2"};
  const Machine stopped{"vm1", "", ""};
  for (const char* path :
       {"/var/lib/libvirt/qemu/nvram/vm1_VARS.fd",
        "/var/lib/libvirt/qemu/domain-7-vm1/master-key.aes",
        "/var/lib/libvirt/qemu/channel/target/domain-7-vm1/org.qemu.guest_agent.0",
        "/run/libvirt/qemu/swtpm/7-vm1-swtpm.sock", "/dev/hugepages/libvirt/qemu/7-vm1",
        "/var/lib/libvirt/qemu/ram/7-vm1/pc.ram", "/var/log/libvirt/qemu/vm1.log"}) {
    EXPECT_FALSE(Forbids(list, path, Access::kReadWrite)) << path;
    EXPECT_TRUE(Forbids(list, path, Access::kReadWrite, Kind::kFile, other)) << path;
  }
  EXPECT_TRUE(Forbids(list, "/var/lib/libvirt/qemu/save/vm1.save", Access::kRead));
  EXPECT_TRUE(Forbids(list, "/var/lib/libvirt/qemu", Access::kList, Kind::kDirectory));
  EXPECT_TRUE(
      Forbids(list, "/var/lib/libvirt/qemu/ram/", Access::kCreate, Kind::kDirectory, stopped));
}

TEST(Forbidden, TheNameOfAMachineIsNoPattern) {
  const auto list = ForbiddenPaths::Default();
  for (const char* name : {"*", "?m1", "[uvw]m1", "vm1/../x", "..", "\\*"}) {
    const Machine machine{name, "", ""};
    EXPECT_TRUE(Forbids(list, "/var/lib/libvirt/qemu/nvram/vm1_VARS.fd", Access::kReadWrite,
                        Kind::kFile, machine))
        << name;
  }
  EXPECT_FALSE(Forbids(list, "/var/lib/libvirt/qemu/nvram/*_VARS.fd", Access::kReadWrite,
                       Kind::kFile, {"*", "", ""}));
}

TEST(Forbidden, ADirectoryIsRefusedForWhatLiesInIt) {
  const auto list = ForbiddenPaths::Default();
  for (const char* path :
       {"/", "/var", "/var/lib", "/dev", "/run", "/dev/hugepages", "/var/lib/libvirt"}) {
    EXPECT_TRUE(Forbids(list, path, Access::kList, Kind::kDirectory)) << path;
  }
  EXPECT_FALSE(Forbids(list, "/srv", Access::kCreate, Kind::kDirectory));
  EXPECT_FALSE(Forbids(list, "/usr/share/x", Access::kList, Kind::kDirectory));
  EXPECT_TRUE(Forbids(list, "/usr/share/x", Access::kCreate, Kind::kDirectory));
}

TEST(Forbidden, TheReasonIsASentence) {
  const auto reason =
      ForbiddenPaths::Default().ReasonAgainst("/etc/shadow", Access::kRead, Kind::kFile, kVm1);
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, "is never given to a machine: it is the host's configuration and keys");
}

TEST(Forbidden, AListOfOnesOwnReplacesTheDefaultOrAddsToIt) {
  const auto own = ForbiddenPaths::Parse("# ours\n\nnever /srv/secret  it is ours\n");
  ASSERT_TRUE(own);
  EXPECT_TRUE(Forbids(*own, "/srv/secret/x", Access::kRead));
  EXPECT_FALSE(Forbids(*own, "/etc/shadow", Access::kRead));
  const auto added = ForbiddenPaths::Parse("default\nallow /root/images\nnever /srv/secret");
  ASSERT_TRUE(added);
  EXPECT_TRUE(Forbids(*added, "/srv/secret/x", Access::kRead));
  EXPECT_TRUE(Forbids(*added, "/etc/shadow", Access::kRead));
  EXPECT_FALSE(Forbids(*added, "/root/images/a", Access::kReadWrite));
  EXPECT_TRUE(Forbids(*added, "/root/images/.ssh/a", Access::kRead));
}

TEST(Forbidden, ALineThatMeansNothingIsRefusedWithItsNumber) {
  for (const char* text : {"\nsometimes /x", "\nnever", "\nnever x", "\nallow **/", "\nnever /"}) {
    const auto list = ForbiddenPaths::Parse(text);
    ASSERT_FALSE(list) << text;
    EXPECT_THAT(list.error().Message(), HasSubstr("line 2"));
  }
}

}  // namespace
}  // namespace openhook::domain
