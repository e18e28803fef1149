// SPDX-License-Identifier: LGPL-2.1-or-later

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/domain/plan_text.h"

namespace openhook::domain {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Disk(std::string_view attributes, std::string_view inside) {
  return PlanLines(WithDevices("<disk " + std::string(attributes) + ">" + std::string(inside) +
                               "<target dev='vda'/></disk>"));
}

constexpr const char* kQcow2 = "<driver name='qemu' type='qcow2'/>";

TEST(Disks, AnImageIsWrittenToAndItsChainIsToBeFound) {
  EXPECT_THAT(
      Disk("type='file' device='disk'", std::string(kQcow2) + "<source file='/vm/a.qcow2'/>"),
      ElementsAre("read-write file /vm/a.qcow2 [disk vda] image 0 qcow2 +unknown"));
}

TEST(Disks, ARawImageOrOneWithoutADriverLeadsNowhere) {
  EXPECT_THAT(Disk("type='file'", "<driver type='raw'/><source file='/vm/a.img'/>"),
              ElementsAre("read-write file /vm/a.img [disk vda] image 0 raw"));
  EXPECT_THAT(Disk("", "<source file='/vm/a.img'/>"),
              ElementsAre("read-write file /vm/a.img [disk vda] image 0 raw"));
}

TEST(Disks, ReadOnlyDisksAndCdromsAreForReading) {
  EXPECT_THAT(Disk("type='file'", "<source file='/vm/a.img'/><readonly/>"),
              ElementsAre("read file /vm/a.img [disk vda] image 0 raw"));
  EXPECT_THAT(Disk("type='file' device='cdrom'", "<source file='/vm/a.iso'/>"),
              ElementsAre("read file /vm/a.iso [disk vda] image 0 raw"));
}

TEST(Disks, AnEmptyDriveOpensNothing) {
  EXPECT_THAT(Disk("type='file' device='cdrom'", "<readonly/>"), IsEmpty());
  EXPECT_THAT(Disk("type='block' device='floppy'", ""), IsEmpty());
}

TEST(Disks, AFloppyIsWrittenTo) {
  EXPECT_THAT(Disk("type='file' device='floppy'", "<source file='/vm/a.fd'/>"),
              ElementsAre("read-write file /vm/a.fd [disk vda] image 0 raw"));
}

TEST(Disks, ABlockDeviceAndALun) {
  EXPECT_THAT(Disk("type='block' device='disk'", "<source dev='/dev/vg/lv'/>"),
              ElementsAre("read-write block /dev/vg/lv [disk vda] image 0 raw"));
  EXPECT_THAT(Disk("type='block' device='lun'",
                   "<source dev='/dev/sdb'><reservations managed='no'>"
                   "<source type='unix' path='/run/pr.sock' mode='client'/></reservations>"
                   "</source>"),
              ElementsAre("read-write block /dev/sdb [disk vda] image 0 raw",
                          "read-write socket /run/pr.sock [disk vda reservations]"));
}

TEST(Disks, ADirectoryIsListed) {
  EXPECT_THAT(Disk("type='dir' device='floppy'", "<driver type='fat'/><source dir='/vm/d'/>"),
              ElementsAre("list directory /vm/d [disk vda] fat"));
}

TEST(Disks, AVolumeIsReportedAsUnresolved) {
  const auto plan = PlanDomain(
      WithDevices("<disk type='volume'><source pool='p1' volume='v1'/><target dev='vda'/></disk>"),
      CommandLine::kWarn);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->files, IsEmpty());
  ASSERT_EQ(plan->warnings.size(), 1U);
  EXPECT_THAT(plan->warnings[0],
              testing::AllOf(testing::HasSubstr("'v1'"), testing::HasSubstr("'p1'"),
                             testing::HasSubstr("not resolved")));
}

TEST(Disks, VhostUserNvmeAndVdpa) {
  EXPECT_THAT(Disk("type='vhostuser'", "<source type='unix' path='/run/spdk.sock'/>"),
              ElementsAre("read-write socket /run/spdk.sock [disk vda]"));
  EXPECT_THAT(Disk("type='nvme'",
                   "<source type='pci' managed='yes' namespace='1'><address domain='0x0000' "
                   "bus='0x01' slot='0x00' function='0x0'/></source>"),
              ElementsAre("read-write char /dev/vfio/vfio [disk vda pci 0000:01:00.0]",
                          "? pci-group 0000:01:00.0 [disk vda pci 0000:01:00.0]"));
  EXPECT_THAT(Disk("type='vhostvdpa'", "<source dev='/dev/vhost-vdpa-0'/>"),
              ElementsAre("read-write char /dev/vhost-vdpa-0 [disk vda]"));
}

TEST(Disks, AnExplicitChainIsReadToItsEnd) {
  EXPECT_THAT(Disk("type='file'",
                   std::string(kQcow2) +
                       "<source file='/vm/top'/><backingStore type='file'><format type='qcow2'/>"
                       "<source file='/vm/mid'/><backingStore type='block'><format type='raw'/>"
                       "<source dev='/dev/vg/base'/><backingStore/></backingStore></backingStore>"),
              ElementsAre("read-write file /vm/top [disk vda] image 0 qcow2 +listed",
                          "read file /vm/mid [disk vda] backing 1 qcow2 +listed",
                          "read block /dev/vg/base [disk vda] backing 2 raw"));
}

TEST(Disks, APartialChainGoesOnInTheLastImageThatIsNamed) {
  EXPECT_THAT(Disk("type='file'",
                   std::string(kQcow2) +
                       "<source file='/vm/top'/><backingStore type='file'><format type='qcow2'/>"
                       "<source file='/vm/mid'/></backingStore>"),
              ElementsAre("read-write file /vm/top [disk vda] image 0 qcow2 +listed",
                          "read file /vm/mid [disk vda] backing 1 qcow2 +unknown"));
}

TEST(Disks, AChainThatEndsAtOnce) {
  EXPECT_THAT(Disk("type='file'", std::string(kQcow2) + "<source file='/vm/top'/><backingStore/>"),
              ElementsAre("read-write file /vm/top [disk vda] image 0 qcow2"));
}

TEST(Disks, ABackingImageOnTheNetwork) {
  EXPECT_THAT(Disk("type='file'",
                   std::string(kQcow2) +
                       "<source file='/vm/top'/><backingStore type='network'><format type='raw'/>"
                       "<source protocol='nbd' name='x'><host name='h' port='10809'/></source>"
                       "<backingStore/></backingStore>"),
              ElementsAre("read-write file /vm/top [disk vda] image 0 qcow2 +listed",
                          "@ nbd://h:10809/x [disk vda] 1"));
}

TEST(Disks, NetworkDisks) {
  EXPECT_THAT(Disk("type='network'",
                   "<source protocol='rbd' name='pool/img'><host name='a' port='6789'/>"
                   "<host name='b'/><config file='/etc/ceph/ceph.conf'/></source>"),
              ElementsAre("read file /etc/ceph/ceph.conf [disk vda config]",
                          "@ rbd://a:6789,b/pool/img [disk vda] 0"));
  EXPECT_THAT(Disk("type='network'",
                   "<source protocol='nbd' name='e'><host transport='unix' socket='/run/n.sock'/>"
                   "</source>"),
              ElementsAre("read-write socket /run/n.sock [disk vda]",
                          "@ nbd+unix:///e?socket=/run/n.sock [disk vda] 0"));
  EXPECT_THAT(Disk("type='network'",
                   "<source protocol='iscsi' name='iqn/1'><host name='fd00::1' port='3260'/>"
                   "</source>"),
              ElementsAre("@ iscsi://[fd00::1]:3260/iqn/1 [disk vda] 0"));
}

TEST(Disks, TlsOfANetworkDiskIsWarnedAbout) {
  EXPECT_THAT(Disk("type='network'", "<source protocol='nbd' tls='yes'><host name='h'/></source>"),
              ElementsAre("@ nbd://h/ [disk vda] 0", "! disk vda"));
}

TEST(Disks, AShareableDisk) {
  EXPECT_THAT(Disk("type='file'", "<source file='/vm/s'/><shareable/>"),
              ElementsAre("read-write file /vm/s [disk vda] image 0 raw shareable"));
  EXPECT_THAT(Disk("type='file'", "<source file='/vm/s'/><shareable/><readonly/>"),
              ElementsAre("read file /vm/s [disk vda] image 0 raw"));
}

TEST(Disks, ATransientDiskHasAnOverlay) {
  EXPECT_THAT(Disk("type='file'", std::string(kQcow2) + "<source file='/vm/t'/><transient/>"),
              ElementsAre("read-write file /vm/t [disk vda] image 0 qcow2 +unknown",
                          "create file /vm/t.TRANSIENT [disk vda transient] image 0 qcow2"));
  EXPECT_THAT(Disk("type='file'",
                   std::string(kQcow2) + "<source file='/vm/t'/><transient shareBacking='yes'/>"),
              ElementsAre("read file /vm/t [disk vda] image 0 qcow2 +unknown",
                          "create file /vm/t.TRANSIENT-vm1 [disk vda transient] image 0 qcow2"));
}

TEST(Disks, TheTargetOfACopyIsWrittenTo) {
  EXPECT_THAT(Disk("type='file'",
                   std::string(kQcow2) +
                       "<source file='/vm/a'/><backingStore/><mirror type='file' job='copy'>"
                       "<format type='qcow2'/><source file='/vm/copy'/><backingStore type='file'>"
                       "<format type='raw'/><source file='/vm/base'/><backingStore/></backingStore>"
                       "</mirror>"),
              ElementsAre("read-write file /vm/a [disk vda] image 0 qcow2",
                          "read-write file /vm/copy [disk vda mirror] image 0 qcow2 +listed",
                          "read file /vm/base [disk vda mirror] backing 1 raw"));
  EXPECT_THAT(Disk("type='file'",
                   "<source file='/vm/a'/><mirror file='/vm/old' format='raw' ready='yes'/>"),
              ElementsAre("read-write file /vm/a [disk vda] image 0 raw",
                          "read-write file /vm/old [disk vda mirror] image 0 raw"));
}

TEST(Disks, AnExternalDataFileHasTheAccessOfItsOwner) {
  const std::string store =
      "<dataStore type='file'><format type='raw'/><source file='/vm/data'/></dataStore>";
  EXPECT_THAT(Disk("type='file'", std::string(kQcow2) + "<source file='/vm/a'>" + store +
                                      "</source><backingStore/>"),
              ElementsAre("read-write file /vm/a [disk vda] image 0 qcow2",
                          "read-write file /vm/data [disk vda] data-file 0 raw"));
  EXPECT_THAT(Disk("type='file'", std::string(kQcow2) + "<source file='/vm/a'>" + store +
                                      "</source><backingStore/><readonly/>"),
              ElementsAre("read file /vm/a [disk vda] image 0 qcow2",
                          "read file /vm/data [disk vda] data-file 0 raw"));
}

TEST(Disks, SlicesAndEncryptionChangeNoFile) {
  EXPECT_THAT(Disk("type='file'",
                   "<source file='/vm/a'><slices><slice type='storage' offset='1024' size='512'/>"
                   "</slices><encryption format='luks'><secret type='passphrase' uuid='u'/>"
                   "</encryption></source>"),
              ElementsAre("read-write file /vm/a [disk vda] image 0 raw"));
}

TEST(Disks, DescriptorsThatAreHandedOverAreNotOpened) {
  EXPECT_THAT(Disk("type='file'", "<source file='/vm/a' fdgroup='g'/>"), ElementsAre("! disk vda"));
}

TEST(Disks, UnknownTypesAndDevicesAreWarnedAbout) {
  EXPECT_THAT(Disk("type='tape'", "<source file='/vm/a'/>"), ElementsAre("! disk vda"));
  EXPECT_THAT(Disk("type='file' device='drum'", "<source file='/vm/a'/>"),
              ElementsAre("read-write file /vm/a [disk vda] image 0 raw", "! disk vda"));
}

TEST(Disks, ARelativeNameIsRefused) {
  EXPECT_THAT(Disk("type='file'", "<source file='images/a'/>"),
              ElementsAre("- images/a [disk vda]"));
}

TEST(Disks, TwoDisksOnOneBaseBothHaveIt) {
  const std::string chain =
      "<backingStore type='file'><format type='raw'/><source file='/vm/base'/>"
      "<backingStore/></backingStore>";
  const auto lines = PlanLines(WithDevices(
      "<disk><driver type='qcow2'/><source file='/vm/a'/>" + chain + "<target dev='vda'/></disk>" +
      "<disk><driver type='qcow2'/><source file='/vm/b'/>" + chain + "<target dev='vdb'/></disk>"));
  EXPECT_THAT(lines, ElementsAre("read-write file /vm/a [disk vda] image 0 qcow2 +listed",
                                 "read file /vm/base [disk vda] backing 1 raw",
                                 "read-write file /vm/b [disk vdb] image 0 qcow2 +listed",
                                 "read file /vm/base [disk vdb] backing 1 raw"));
}

TEST(Disks, NamesAreBytesAndEntitiesOfXmlAreUndone) {
  EXPECT_THAT(Disk("type='file'", "<source file='/vm/a &amp; b&#10;c/ü'/>"),
              ElementsAre("read-write file /vm/a & b\nc/ü [disk vda] image 0 raw"));
}

}  // namespace
}  // namespace openhook::domain
