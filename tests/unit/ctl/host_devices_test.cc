// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A host's devices, in a tree that is laid out like /sys and /dev.

#include "broker/ctl/host_devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_tree.h"

namespace openhook::ctl {
namespace {

using domain::DeviceKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HostDevices : public ::testing::Test {
 protected:
  void Directory(const std::string& path) { tree_.Directory(path); }
  void Fact(const std::string& directory, const std::string& name, const std::string& value) {
    Directory(directory);
    tree_.File(directory + "/" + name, value + "\n");
  }
  Result<std::vector<std::string>> Find(DeviceKind kind, const std::string& key) {
    return FindDevice({.kind = kind, .key = key}, tree_.root());
  }
  void ExpectUnknown(DeviceKind kind, const std::string& key) {
    const auto files = Find(kind, key);
    ASSERT_FALSE(files) << key;
    EXPECT_THAT(files.error().Message(), HasSubstr("not known on this host"));
  }

  testing::TempTree tree_;
};

TEST_F(HostDevices, APciDeviceHasItsOwnGroupAndNoOther) {
  Directory("sys/bus/pci/devices/0000:01:00.0");
  Directory("sys/bus/pci/devices/0000:02:00.0");
  tree_.Symlink("sys/bus/pci/devices/0000:01:00.0/iommu_group", "../../../kernel/iommu_groups/17");
  tree_.Symlink("sys/bus/pci/devices/0000:02:00.0/iommu_group", "../../../kernel/iommu_groups/18");
  EXPECT_THAT(Find(DeviceKind::kPciGroup, "0000:01:00.0").value(), ElementsAre("/dev/vfio/17"));
  ExpectUnknown(DeviceKind::kPciGroup, "0000:03:00.0");
}

TEST_F(HostDevices, AGroupThatIsNoNumberIsNotBelieved) {
  Directory("sys/bus/pci/devices/0000:01:00.0");
  tree_.Symlink("sys/bus/pci/devices/0000:01:00.0/iommu_group", "../vfio");
  ExpectUnknown(DeviceKind::kPciGroup, "0000:01:00.0");
}

TEST_F(HostDevices, AKeyIsNoPath) {
  for (const char* key : {"", "..", "../../../etc", "a/b", "a b", ".hidden", "a\n"}) {
    ExpectUnknown(DeviceKind::kPciGroup, key);
    ExpectUnknown(DeviceKind::kScsiGeneric, key);
  }
}

TEST_F(HostDevices, APciDeviceOfIommufdHasANodeOfItsOwn) {
  Directory("sys/bus/pci/devices/0000:01:00.0/vfio-dev/vfio3");
  EXPECT_THAT(Find(DeviceKind::kPciDevice, "0000:01:00.0").value(),
              ElementsAre("/dev/vfio/devices/vfio3"));
}

TEST_F(HostDevices, AMediatedDeviceHasAGroup) {
  Directory("sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804");
  tree_.Symlink("sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804/iommu_group",
                "../groups/5");
  EXPECT_THAT(Find(DeviceKind::kMdevGroup, "c2177883-f1bb-47f0-914d-32a22e3a8804").value(),
              ElementsAre("/dev/vfio/5"));
}

TEST_F(HostDevices, AUsbDeviceIsFoundByItsProduct) {
  for (const auto& [name, device] : {std::pair("1-1", "7"), std::pair("1-2", "12")}) {
    const std::string directory = std::string("sys/bus/usb/devices/") + name;
    Fact(directory, "idVendor", "1d6b");
    Fact(directory, "idProduct", name == std::string("1-1") ? "0002" : "0003");
    Fact(directory, "busnum", "1");
    Fact(directory, "devnum", device);
  }
  EXPECT_THAT(Find(DeviceKind::kUsbProduct, "1d6b:0003").value(),
              ElementsAre("/dev/bus/usb/001/012"));
  ExpectUnknown(DeviceKind::kUsbProduct, "1d6b:0004");
}

TEST_F(HostDevices, TwoUsbDevicesOfOneProductAreNotGuessedAt) {
  for (const char* name : {"1-1", "1-2"}) {
    const std::string directory = std::string("sys/bus/usb/devices/") + name;
    Fact(directory, "idVendor", "1d6b");
    Fact(directory, "idProduct", "0002");
    Fact(directory, "busnum", "1");
    Fact(directory, "devnum", "3");
  }
  const auto files = Find(DeviceKind::kUsbProduct, "1d6b:0002");
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, ErrorCode::kConflict);
}

TEST_F(HostDevices, ScsiMacvtapAndRenderNodes) {
  Directory("sys/bus/scsi/devices/3:0:2:1/scsi_generic/sg4");
  EXPECT_THAT(Find(DeviceKind::kScsiGeneric, "3:0:2:1").value(), ElementsAre("/dev/sg4"));
  Fact("sys/class/net/macvtap4", "ifindex", "23");
  EXPECT_THAT(Find(DeviceKind::kMacvtap, "macvtap4").value(), ElementsAre("/dev/tap23"));
  ExpectUnknown(DeviceKind::kRenderNode, "");
  Directory("dev/dri");
  tree_.File("dev/dri/card0");
  tree_.File("dev/dri/renderD129");
  tree_.File("dev/dri/renderD128");
  EXPECT_THAT(Find(DeviceKind::kRenderNode, "").value(), ElementsAre("/dev/dri/renderD128"));
}

}  // namespace
}  // namespace openhook::ctl
