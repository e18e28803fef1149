// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Devices of the host, memory, and what people see and hear.

#include "tests/unit/domain/element_cases.h"

namespace openhook::domain {
namespace {

class DeviceElements : public Elements {};

TEST_P(DeviceElements, ArePlanned) { EXPECT_EQ(PlanLines(GetParam().xml), GetParam().expected); }

const Case kHostDevices[] = {
    {"UsbByAddress",
     WithDevices("<hostdev mode='subsystem' type='usb' managed='yes'><source>"
                 "<vendor id='0x1d6b'/><product id='0x0002'/><address bus='1' device='12'/>"
                 "</source></hostdev>"),
     {"read-write char /dev/bus/usb/001/012 [hostdev 0 usb]"}},
    {"UsbByProduct",
     WithDevices("<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'>"
                 "<vendor id='0x1d6b'/><product id='2'/></source></hostdev>"),
     {"? usb-product 1d6b:0002 [hostdev 0 usb]"}},
    {"UsbThatSaysNothing", WithDevices("<hostdev type='usb'><source/></hostdev>"), {"! hostdev 0"}},
    {"PciManaged",
     WithDevices("<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"
                 "<address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/></source>"
                 "<rom file='/l/vga.rom'/></hostdev>"),
     {"read-write char /dev/vfio/vfio [hostdev 0 pci 0000:06:12.5]",
      "read file /l/vga.rom [hostdev 0 rom]",
      "? pci-group 0000:06:12.5 [hostdev 0 pci 0000:06:12.5]"}},
    {"PciUnmanaged",
     WithDevices("<hostdev type='pci' managed='no'><source><address bus='6' slot='0'/></source>"
                 "</hostdev>"),
     {"read-write char /dev/vfio/vfio [hostdev 0 pci 0000:06:00.0]",
      "? pci-group 0000:06:00.0 [hostdev 0 pci 0000:06:00.0]"}},
    {"PciByIommufd",
     WithDevices("<hostdev type='pci'><driver iommufd='yes'/><source><address bus='0x1'/></source>"
                 "</hostdev>"),
     {"read-write char /dev/iommu [hostdev 0 pci 0000:01:00.0]",
      "? pci-device 0000:01:00.0 [hostdev 0 pci 0000:01:00.0]"}},
    {"PciThatCannotBeRead",
     WithDevices("<hostdev type='pci'><source><address bus='six'/></source></hostdev>"),
     {"! hostdev 0"}},
    {"Mdev",
     WithDevices("<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
                 "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"),
     {"read-write char /dev/vfio/vfio [hostdev 0 mdev]",
      "? mdev-group c2177883-f1bb-47f0-914d-32a22e3a8804 [hostdev 0 mdev "
      "c2177883-f1bb-47f0-914d-32a22e3a8804]"}},
    {"MdevOfS390",
     WithDevices("<hostdev mode='subsystem' type='mdev' model='vfio-ap'><source>"
                 "<address uuid='u'/></source></hostdev>"),
     {"read-write char /dev/vfio/vfio [hostdev 0 mdev]", "? mdev-group u [hostdev 0 mdev u]"}},
    {"Scsi",
     WithDevices("<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host3'/>"
                 "<address bus='0' target='2' unit='1'/></source></hostdev>"),
     {"? scsi-generic 3:0:2:1 [hostdev 0 scsi 3:0:2:1]"}},
    {"ScsiReadOnly",
     WithDevices("<hostdev type='scsi'><source><adapter name='scsi_host3'/>"
                 "<address bus='0' target='2' unit='1'/></source><readonly/></hostdev>"),
     {"? scsi-generic 3:0:2:1 read [hostdev 0 scsi 3:0:2:1]"}},
    {"ScsiOverIscsi",
     WithDevices("<hostdev type='scsi'><source protocol='iscsi' name='iqn/1'><host name='h'/>"
                 "</source></hostdev>"),
     {"@ iscsi://h/iqn/1 [hostdev 0 scsi] 0"}},
    {"ScsiHost",
     WithDevices("<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' "
                 "wwpn='naa.5'/></hostdev>"),
     {"read-write char /dev/vhost-scsi [hostdev 0 scsi_host]"}},
    {"ForContainers",
     WithDevices("<hostdev mode='capabilities' type='misc'><source><char>/dev/x</char></source>"
                 "</hostdev>"),
     {"! hostdev 0"}},
    {"OfAnUnknownType", WithDevices("<hostdev type='drum'><source/></hostdev>"), {"! hostdev 0"}},
    {"InterfaceOnABridge",
     Kvm("<interface type='bridge'><mac address='52:54:00:0:0:1'/><source bridge='br0'/>"
         "<model type='virtio'/></interface>"),
     {"read-write char /dev/kvm [kvm]", "read-write char /dev/net/tun [interface 52:54:00:0:0:1]",
      "read-write char /dev/vhost-net [interface 52:54:00:0:0:1 vhost]"}},
    {"InterfaceWithoutVhost",
     Kvm("<interface type='network'><model type='virtio'/><driver name='qemu'/></interface>"),
     {"read-write char /dev/kvm [kvm]", "read-write char /dev/net/tun [interface 0]"}},
    {"InterfaceOfAnOldModel",
     Kvm("<interface type='ethernet'><model type='e1000'/></interface>"),
     {"read-write char /dev/kvm [kvm]", "read-write char /dev/net/tun [interface 0]"}},
    {"InterfaceWithPathsOfItsOwn",
     Kvm("<interface type='ethernet'><model type='virtio'/>"
         "<backend tap='/dev/other-tun' vhost='/dev/other-vhost'/></interface>"),
     {"read-write char /dev/kvm [kvm]", "read-write char /dev/other-tun [interface 0]",
      "read-write char /dev/other-vhost [interface 0 vhost]"}},
    {"Macvtap",
     WithDevices("<interface type='direct'><source dev='eth0' mode='bridge'/>"
                 "<target dev='macvtap4'/></interface>"),
     {"? macvtap macvtap4 [interface 0]"}},
    {"MacvtapOfAStoppedMachine",
     WithDevices("<interface type='direct'><source dev='eth0'/></interface>"),
     {"! interface 0"}},
    {"InterfaceOverVhostUser",
     WithDevices("<interface type='vhostuser'><source type='unix' path='/l/vu' mode='client'/>"
                 "</interface><interface type='vhostuser'><source type='unix' path='/l/vs' "
                 "mode='server'/></interface>"),
     {"read-write socket /l/vu [interface 0]", "create socket /l/vs [interface 1]"}},
    {"Vdpa",
     WithDevices("<interface type='vdpa'><source dev='/dev/vhost-vdpa-1'/></interface>"),
     {"read-write char /dev/vhost-vdpa-1 [interface 0]"}},
    {"InterfaceThatIsAPciDevice",
     WithDevices("<interface type='hostdev'><source><address type='pci' domain='0' bus='7' "
                 "slot='0' function='0'/></source></interface>"),
     {"read-write char /dev/vfio/vfio [interface 0 pci 0000:07:00.0]",
      "? pci-group 0000:07:00.0 [interface 0 pci 0000:07:00.0]"}},
    {"InterfacesThatOpenNothing",
     WithDevices("<interface type='user'/><interface type='mcast'/><interface type='udp'/>"
                 "<interface type='server'/><interface type='client'/><interface type='null'/>"),
     {}},
    {"InterfaceWithARom",
     WithDevices("<interface type='user'><rom file='/l/pxe.rom'/></interface>"),
     {"read file /l/pxe.rom [interface 0 rom]"}},
    {"InterfaceOfAnUnknownType", WithDevices("<interface type='smoke'/>"), {"! interface 0"}},
    {"Vsock",
     WithDevices("<vsock model='virtio'><cid auto='yes'/></vsock>"),
     {"read-write char /dev/vhost-vsock [vsock]"}},
};

const Case kMemory[] = {
    {"HugepagesOfARunningMachine",
     Running("<memoryBacking><hugepages/></memoryBacking>"),
     {kKey, "create directory /dev/hugepages/libvirt/qemu/7-vm1 [hugepages]"}},
    {"HugepagesOfTwoSizes",
     Running("<memoryBacking><hugepages><page size='1' unit='G'/><page size='2048'/></hugepages>"
             "</memoryBacking>"),
     {kKey, "create directory /dev/hugepages1G/libvirt/qemu/7-vm1 [hugepages]",
      "create directory /dev/hugepages/libvirt/qemu/7-vm1 [hugepages]"}},
    {"HugepagesOfAStoppedMachine",
     Top("<memoryBacking><hugepages/></memoryBacking>"),
     {"! hugepages"}},
    {"MemoryInAFile",
     Running("<memoryBacking><source type='file'/></memoryBacking>"),
     {kKey, "create directory /var/lib/libvirt/qemu/ram/7-vm1 [memory]"}},
    {"Memfd",
     Running("<memoryBacking><hugepages/><source type='memfd'/><access mode='shared'/>"
             "</memoryBacking>"),
     {kKey}},
    {"AnonymousMemory",
     Top("<memoryBacking><source type='anonymous'/><locked/></memoryBacking>"),
     {}},
    {"Nvdimm",
     WithDevices("<memory model='nvdimm'><source><path>/l/nvd</path></source></memory>"),
     {"read-write file /l/nvd [memory 0 nvdimm]"}},
    {"NvdimmForReading",
     WithDevices("<memory model='nvdimm'><source><path>/l/nvd</path></source>"
                 "<target><readonly/></target></memory>"),
     {"read file /l/nvd [memory 0 nvdimm]"}},
    {"NvdimmOfADaxDevice",
     WithDevices("<memory model='nvdimm'><source><path>/dev/dax0.0</path></source></memory>"),
     {"read-write char /dev/dax0.0 [memory 0 nvdimm]"}},
    {"VirtioPmem",
     WithDevices("<memory model='virtio-pmem'><source><path>/dev/pmem0</path></source></memory>"),
     {"read-write block /dev/pmem0 [memory 0 virtio-pmem]"}},
    {"DimmInAFile",
     WithDevices("<memory model='dimm'><source><path>/l/dimm</path></source></memory>"),
     {"read-write file /l/dimm [memory 0 dimm]"}},
    {"DimmWithoutAFile",
     WithDevices("<memory model='dimm'><source><nodemask>0</nodemask></source></memory>"
                 "<memory model='virtio-mem'/>"),
     {}},
    {"SgxMemory",
     WithDevices("<memory model='sgx-epc'/>"),
     {"read-write char /dev/sgx_vepc [memory 0 sgx-epc]"}},
    {"MemoryOfAnUnknownModel", WithDevices("<memory model='smoke'/>"), {"! memory 0 smoke"}},
    {"SharedMemory",
     WithDevices("<shmem name='s0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"),
     {"create file /dev/shm/s0 [shmem s0]"}},
    {"SharedMemoryOfAServer",
     WithDevices("<shmem name='s0'><model type='ivshmem-doorbell'/><server path='/l/iv'/></shmem>"
                 "<shmem name='s1'><model type='ivshmem-doorbell'/></shmem>"),
     {"read-write socket /l/iv [shmem s0]",
      "read-write socket /var/lib/libvirt/shmem-s1-sock [shmem s1]"}},
    {"SharedMemoryOfABadName", WithDevices("<shmem name='../x'/>"), {"! shmem ../x"}},
    {"NinePFilesystem",
     WithDevices("<filesystem type='mount' accessmode='mapped'><source dir='/l/d'/>"
                 "<target dir='tag'/></filesystem>"),
     {"create directory /l/d [filesystem tag]"}},
    {"NinePFilesystemForReading",
     WithDevices("<filesystem><driver type='path'/><source dir='/l/d'/><target dir='tag'/>"
                 "<readonly/></filesystem>"),
     {"list directory /l/d [filesystem tag]"}},
    {"Virtiofs",
     WithDevices("<filesystem><driver type='virtiofs'/><source dir='/l/d'/><target dir='tag'/>"
                 "</filesystem>"),
     {"create directory /l/d [filesystem tag (virtiofsd)]"}},
    {"VirtiofsOfSomebodyElse",
     WithDevices("<filesystem><driver type='virtiofs'/><source socket='/l/vfs'/>"
                 "<target dir='tag'/></filesystem>"),
     {"read-write socket /l/vfs [filesystem tag]"}},
    {"FilesystemForContainers",
     WithDevices("<filesystem type='template'><source name='t'/><target dir='/'/></filesystem>"),
     {"! filesystem /"}},
};

const Case kGraphics[] = {
    {"VncSocket",
     WithDevices("<graphics type='vnc' socket='/l/vnc'>"
                 "<listen type='socket' socket='/l/vnc'/></graphics>"),
     {"create socket /l/vnc [graphics vnc]"}},
    {"VncOnThePort",
     WithDevices("<graphics type='vnc' port='5900'><listen type='address'/></graphics>"),
     {}},
    {"SpiceSocketAndGl",
     WithDevices("<graphics type='spice'><listen type='socket' socket='/l/sp'/>"
                 "<gl enable='yes' rendernode='/dev/dri/renderD129'/></graphics>"),
     {"create socket /l/sp [graphics spice]",
      "read-write char /dev/dri/renderD129 [graphics spice gl]"}},
    {"GlOfAnyNode",
     WithDevices("<graphics type='spice'><gl enable='yes'/></graphics>"),
     {"? render-node  [graphics spice gl]"}},
    {"GlTurnedOff",
     WithDevices(
         "<graphics type='spice'><gl enable='no' rendernode='/dev/dri/renderD1'/></graphics>"),
     {}},
    {"EglHeadless",
     WithDevices("<graphics type='egl-headless'><gl rendernode='/dev/dri/renderD128'/>"
                 "</graphics>"),
     {"read-write char /dev/dri/renderD128 [graphics egl-headless gl]"}},
    {"Sdl",
     WithDevices("<graphics type='sdl' display=':0' xauth='/home/u/.Xauthority'/>"),
     {"read file /home/u/.Xauthority [graphics sdl xauth]"}},
    {"Dbus",
     WithDevices("<graphics type='dbus' address='unix:path=/l/bus,guid=1'/>"),
     {"read-write socket /l/bus [graphics dbus]"}},
    {"GraphicsOfAnUnknownType", WithDevices("<graphics type='smoke'/>"), {"! graphics smoke"}},
    {"VideoThatIsAccelerated",
     WithDevices("<video><driver name='vhostuser'/><model type='virtio' blob='on'>"
                 "<acceleration accel3d='yes' rendernode='/dev/dri/renderD128'/></model></video>"),
     {"read-write char /dev/udmabuf [video 0 blob]",
      "read-write char /dev/dri/renderD128 [video 0]"}},
    {"PlainVideo", WithDevices("<video><model type='cirrus' vram='16384'/></video>"), {}},
    {"InputPassedThrough",
     WithDevices(
         "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event1'/></input>"
         "<input type='evdev'><source dev='/dev/input/event2' grab='all'/></input>"
         "<input type='tablet' bus='usb'/>"),
     {"read-write char /dev/input/event1 [input 0 passthrough]",
      "read-write char /dev/input/event2 [input 1 evdev]"}},
    {"AudioOss",
     WithDevices("<audio id='1' type='oss'><input dev='/dev/dsp0'/></audio>"),
     {"read-write char /dev/dsp0 [audio 1 oss input]",
      "read-write char /dev/dsp [audio 1 oss output]"}},
    {"AudioFile",
     WithDevices("<audio id='2' type='file' path='/l/a.wav'/>"),
     {"create file /l/a.wav [audio 2 file]"}},
    {"AudioPulse",
     WithDevices("<audio id='1' type='pulseaudio' serverName='unix:/run/user/1/p'/>"
                 "<audio id='2' type='pulseaudio'/>"),
     {"read-write socket /run/user/1/p [audio 1 pulseaudio]", "! audio 2 pulseaudio"}},
    {"AudioPipewire",
     WithDevices("<audio id='1' type='pipewire' runtimeDir='/run/user/1'/>"),
     {"read-write socket /run/user/1/pipewire-0 [audio 1 pipewire]"}},
    {"AudioAlsa", WithDevices("<audio id='1' type='alsa'/>"), {"! audio 1 alsa"}},
    {"AudioThatOpensNothing",
     WithDevices("<audio id='1' type='none'/><audio id='2' type='spice'/>"),
     {}},
    {"Crypto",
     WithDevices(
         "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>"),
     {}},
    {"QuietDevices",
     WithDevices("<emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb'/>"
                 "<memballoon model='virtio'/><watchdog model='i6300esb'/><panic/><iommu/><hub/>"
                 "<sound model='ich9'/><lease><target path='/l/lease'/></lease>"),
     {}},
    {"AnUnknownDevice", WithDevices("<teleporter file='/l/t'/>"), {"! devices"}},
};

INSTANTIATE_TEST_SUITE_P(HostDevices, DeviceElements, testing::ValuesIn(kHostDevices), NameOf);
INSTANTIATE_TEST_SUITE_P(Memory, DeviceElements, testing::ValuesIn(kMemory), NameOf);
INSTANTIATE_TEST_SUITE_P(Graphics, DeviceElements, testing::ValuesIn(kGraphics), NameOf);

}  // namespace
}  // namespace openhook::domain
