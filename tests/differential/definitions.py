# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions that both libvirt's AppArmor helper and openhookctl plan are given.

Each is complete enough for libvirt's own parser. DIR stands for a directory with real files.
"""

import os
import subprocess
from pathlib import Path

UUID = "11111111-2222-3333-4444-555555555555"

HEAD = f"""<domain type='kvm'><name>vm1</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type>%s</os><features><acpi/></features>%s
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>%s</devices></domain>"""


def definition(devices: str = "", os: str = "", top: str = "") -> str:
    return HEAD % (os, top, devices)


def disk(source: str, *, kind: str = "file", image: str = "raw", device: str = "disk", more: str = "",
         target: str = "vda") -> str:
    attribute = "dev" if kind == "block" else "file"
    return (f"<disk type='{kind}' device='{device}'><driver name='qemu' type='{image}'/>"
            f"<source {attribute}='{source}'/>{more}<target dev='{target}'/></disk>")


DEFINITIONS: dict[str, str] = {
    "raw disk": definition(disk("DIR/raw.img")),
    "read-only disk": definition(disk("DIR/raw.img", more="<readonly/>")),
    "shareable disk": definition(disk("DIR/raw.img", more="<shareable/>")),
    "cdrom": definition(disk("DIR/raw.img", device="cdrom", target="hda", more="<readonly/>")),
    "chain of three": definition(disk("DIR/top.qcow2", image="qcow2")),
    "symlink to a chain": definition(disk("DIR/link.qcow2", image="qcow2")),
    "explicit chain": definition(disk(
        "DIR/top.qcow2", image="qcow2",
        more="<backingStore type='file'><format type='raw'/><source file='DIR/raw.img'/>"
             "<backingStore/></backingStore>")),
    "block device": definition(disk("/dev/loop0", kind="block")),
    "missing image": definition(disk("DIR/absent.img")),
    "two disks": definition(disk("DIR/raw.img") + disk("DIR/top.qcow2", image="qcow2", target="vdb")),
    "firmware": definition(
        os="<loader readonly='yes' type='pflash'>DIR/code.fd</loader><nvram>DIR/vars.fd</nvram>"),
    "kernel": definition(os="<kernel>DIR/kernel</kernel><initrd>DIR/initrd</initrd><dtb>DIR/dtb</dtb>"),
    "slic": definition(os="<acpi><table type='slic'>DIR/slic</table></acpi>"),
    "fw_cfg": definition(top="<sysinfo type='fwcfg'><entry name='opt/x' file='DIR/fwcfg'/></sysinfo>"),
    "serial file": definition("<serial type='file'><source path='DIR/serial'/></serial>"),
    "serial device": definition("<serial type='dev'><source path='/dev/ttyS0'/></serial>"),
    "serial pipe": definition("<serial type='pipe'><source path='DIR/pipe'/></serial>"),
    "serial socket": definition("<serial type='unix'><source mode='bind' path='DIR/sock'/></serial>"),
    "parallel": definition("<parallel type='dev'><source path='/dev/parport0'/></parallel>"),
    "channel": definition(
        "<controller type='virtio-serial'/><channel type='unix'><source mode='bind' path='DIR/agent'/>"
        "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"),
    "virtio console": definition(
        "<console type='file'><source path='DIR/console'/><target type='virtio'/></console>"),
    "usb device": definition(
        "<controller type='usb'/><hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/>"
        "</source></hostdev>"),
    "pci device": definition(
        "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/><source>"
        "<address domain='0' bus='1' slot='0' function='0'/></source></hostdev>"),
    "mdev": definition(
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
        "<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>"),
    "9p": definition("<filesystem type='mount'><source dir='DIR/share'/><target dir='t'/></filesystem>"),
    "9p read-only": definition(
        "<filesystem type='mount'><source dir='DIR/share'/><target dir='t'/><readonly/></filesystem>"),
    "input": definition(
        "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event1'/></input>"),
    "vhost-user interface": definition(
        "<interface type='vhostuser'><mac address='52:54:00:00:00:01'/>"
        "<source type='unix' path='DIR/vu' mode='client'/><model type='virtio'/></interface>"),
    "virtio interface": definition("<interface type='user'><model type='virtio'/></interface>"),
    "bridge interface": definition(
        "<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>"),
    "nvdimm": definition(
        "<memory model='nvdimm'><source><path>DIR/nvdimm</path></source><target><size unit='MiB'>16</size>"
        "<node>0</node></target></memory>",
        top="<maxMemory slots='4' unit='MiB'>512</maxMemory>"
            "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"),
    "shmem": definition("<shmem name='s0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"),
    "shmem server": definition(
        "<shmem name='s1'><model type='ivshmem-doorbell'/><server path='DIR/iv'/></shmem>"),
    "vnc socket": definition("<graphics type='vnc' socket='DIR/vnc'/>"),
    "spice with gl": definition(
        "<graphics type='spice'><listen type='none'/><gl enable='yes' rendernode='/dev/dri/renderD128'/>"
        "</graphics>"),
    "sdl": definition("<graphics type='sdl' display=':0' xauth='DIR/xauth'/>"),
    "smartcard": definition(
        "<smartcard mode='host-certificates'><certificate>a</certificate><certificate>b</certificate>"
        "<certificate>c</certificate><database>DIR/share</database></smartcard>"),
    "volume": definition("<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
                         "<source pool='p' volume='v'/><target dev='vda'/></disk>"),
    "network disk": definition("<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
                               "<source protocol='rbd' name='pool/img'><host name='h' port='6789'/></source>"
                               "<target dev='vda'/></disk>"),
    "nbd over a socket": definition("<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
                                    "<source protocol='nbd' name='e'><host transport='unix' socket='DIR/nbd'/></source>"
                                    "<target dev='vda'/></disk>"),
    "vhost-user disk": definition("<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/>"
                                  "<source type='unix' path='DIR/spdk'/><target dev='vda' bus='virtio'/></disk>",
                                  top="<memoryBacking><access mode='shared'/></memoryBacking>"),
    "nvme": definition("<disk type='nvme' device='disk'><driver name='qemu' type='raw'/>"
                       "<source type='pci' managed='yes' namespace='1'><address domain='0' bus='1' slot='0' function='0'/>"
                       "</source><target dev='vda' bus='virtio'/></disk>"),
    "directory": definition("<disk type='dir' device='floppy'><driver name='qemu' type='fat'/><source dir='DIR/share'/>"
                            "<target dev='fda'/><readonly/></disk>"),
    "transient disk": definition(disk("DIR/top.qcow2", image="qcow2", more="<transient/>")),
    "copy under way": definition(disk(
        "DIR/raw.img", more="<mirror type='file' job='copy'><format type='raw'/><source file='DIR/copy.img'/></mirror>")),
    "empty drive": definition("<disk type='file' device='cdrom'><target dev='hda'/><readonly/></disk>"),
    "slice and encryption": definition(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='DIR/raw.img'><slices>"
        "<slice type='storage' offset='0' size='1048576'/></slices></source><target dev='vda'/></disk>"),
    "partial chain": definition(disk(
        "DIR/top.qcow2", image="qcow2",
        more="<backingStore type='file'><format type='qcow2'/><source file='DIR/mid.qcow2'/></backingStore>")),
    "block device below an image": definition(disk(
        "DIR/top.qcow2", image="qcow2",
        more="<backingStore type='block'><format type='raw'/><source dev='/dev/loop0'/><backingStore/></backingStore>")),
    "writable firmware": definition(os="<loader readonly='no' type='pflash'>DIR/code.fd</loader>"),
    "serial log": definition("<serial type='pty'><log file='DIR/log' append='off'/></serial>"),
    "redirected device": definition(
        "<controller type='usb'/><redirdev bus='usb' type='unix'><source mode='connect' path='DIR/redir'/></redirdev>"),
    "rng": definition("<rng model='virtio'><backend model='random'>/dev/hwrng</backend></rng>"),
    "rng of a daemon": definition("<rng model='virtio'><backend model='egd' type='unix'>"
                                  "<source mode='connect' path='DIR/egd'/></backend></rng>"),
    "tpm passed through": definition(
        "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"),
    "smartcard passed through": definition(
        "<smartcard mode='passthrough' type='unix'><source mode='connect' path='DIR/card'/></smartcard>"),
    "scsi device": definition("<controller type='scsi' model='virtio-scsi'/><hostdev mode='subsystem' type='scsi'><source>"
                              "<adapter name='scsi_host99'/><address bus='0' target='0' unit='0'/></source></hostdev>"),
    "vhost-scsi": definition("<hostdev mode='subsystem' type='scsi_host'>"
                             "<source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>"),
    "vsock": definition("<vsock model='virtio'><cid auto='no' address='3'/></vsock>"),
    "vdpa interface": definition(
        "<interface type='vdpa'><mac address='52:54:00:00:00:02'/><source dev='/dev/vhost-vdpa-0'/></interface>"),
    "macvtap interface": definition("<interface type='direct'><mac address='52:54:00:00:00:03'/>"
                                    "<source dev='eth99' mode='bridge'/><model type='e1000'/></interface>"),
    "huge pages": definition(top="<memoryBacking><hugepages/></memoryBacking>"),
    "virtio-pmem": definition(
        "<memory model='virtio-pmem' access='shared'><source><path>DIR/nvdimm</path></source>"
        "<target><size unit='MiB'>16</size></target></memory>",
        top="<maxMemory slots='4' unit='MiB'>512</maxMemory>"
            "<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"),
    "virtiofs": definition("<filesystem type='mount' accessmode='passthrough'><driver type='virtiofs'/>"
                           "<source dir='DIR/share'/><target dir='t'/></filesystem>",
                           top="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"),
    "evdev": definition("<input type='evdev'><source dev='/dev/input/event2' grab='all'/></input>"),
    "spice socket": definition("<graphics type='spice'><listen type='socket' socket='DIR/spice'/></graphics>"),
    "headless gl": definition(
        "<graphics type='egl-headless'><gl rendernode='/dev/dri/renderD128'/></graphics>"),
    "audio": definition("<audio id='1' type='file' path='DIR/sound.wav'/>"),
    "crypto and other quiet devices": definition(
        "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto><watchdog model='i6300esb'/>"
        "<memballoon model='virtio'/><panic model='isa'/>"),
    "sev": definition(os="", top="<launchSecurity type='sev'><policy>0x0001</policy><cbitpos>47</cbitpos>"
                                 "<reducedPhysBits>1</reducedPhysBits></launchSecurity>"),
    "names with patterns": definition(disk("DIR/we{ird} [1]*?.img")),
    "aarch64": definition(disk("DIR/raw.img")).replace("domain type='kvm'", "domain type='qemu'").replace(
        "arch='x86_64' machine='pc'", "arch='aarch64' machine='virt'").replace("qemu-system-x86_64", "qemu-system-aarch64")
        .replace("<features><acpi/></features>", ""),
}


def make_files(directory: Path) -> None:
    """What DIR stands for."""
    for name in ("code.fd", "vars.fd", "kernel", "initrd", "dtb", "slic", "fwcfg", "xauth", "nvdimm"):
        (directory / name).touch()
    (directory / "share").mkdir()
    os.mkfifo(directory / "pipe")
    image = ["qemu-img", "create", "-q", "-f"]
    subprocess.run([*image, "raw", directory / "raw.img", "1M"], check=True)
    subprocess.run([*image, "qcow2", "-b", "raw.img", "-F", "raw", directory / "mid.qcow2"], check=True)
    subprocess.run([*image, "qcow2", "-b", "mid.qcow2", "-F", "qcow2", directory / "top.qcow2"],
                   check=True)
    (directory / "we{ird} [1]*?.img").touch()
    (directory / "link.qcow2").symlink_to("top.qcow2")
