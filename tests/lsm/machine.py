# SPDX-License-Identifier: LGPL-2.1-or-later
"""A VM of libvirt's without a guest system, what virsh does to it, and what the kernel and libvirt
say of its images afterwards."""

import json
import pathlib
import uuid
from xml.etree import ElementTree

import apparmor
import libvirtd
from libvirtd import IMAGES, must, run

DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  {seclabel}
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='scsi' model='virtio-scsi'/>
    {devices}
  </devices>
</domain>
"""

DISK = """
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='{image}'/>
  <target dev='{target}' bus='{bus}'/>
</disk>
"""

MACVTAP = """
<interface type='direct'>
  <mac address='52:54:00:12:34:56'/>
  <source dev='dummy0' mode='bridge'/>
  <model type='e1000e'/>
</interface>
"""

MIB = 1024 * 1024
# Bytes a second, for a job that others overtake.
SLOW = 50_000


class Broken(Exception):
    """What does not hold of a VM that should work."""


def disk(image, target, bus="virtio"):
    return DISK.format(image=image, target=target, bus=bus)


def make_chain(name, layers=("base", "middle", "top")):
    """Images on each other, the lowest first; each has some data of its own."""
    chain = [IMAGES / f"{name}-{layer}.qcow2" for layer in layers]
    for number, image in enumerate(chain):
        below = ["-b", chain[number - 1], "-F", "qcow2"] if number else []
        must("qemu-img", "create", "-q", "-f", "qcow2", *below, image, "16M")
        must("qemu-io", "-f", "qcow2", "-c", f"write -q {4 * number}M 2M", image)
    return chain


class Machine:
    def __init__(self, name, disks=None, more=""):
        """`disks` are chains by target name; one chain of three as vda, unless told."""
        self.name = name
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        self.profile = f"libvirt-{self.uuid}"
        self.disks = disks or {"vda": make_chain(name)}
        self.more = more
        self.images = [image for chain in self.disks.values() for image in chain]
        self.seclabel = ""

    def xml(self):
        devices = "".join(disk(chain[-1], target) for target, chain in self.disks.items()) + self.more
        return DOMAIN.format(name=self.name, uuid=self.uuid, seclabel=self.seclabel, devices=devices)

    def define(self):
        must("virsh", "define", "/dev/stdin", input=self.xml())

    def forget(self):
        run("virsh", "destroy", self.name)
        run("virsh", "undefine", self.name, "--checkpoints-metadata")
        for image in self.images:
            image.unlink(missing_ok=True)

    def virsh(self, verb, *words):
        """Raises Broken with what virsh said."""
        status, told = run("virsh", verb, self.name, *words)
        if status != 0:
            raise Broken(f"virsh {verb}: {told.strip()}")
        return told

    def start(self, *words):
        """Confined, or the rest would show nothing."""
        self.virsh("start", *words)
        pid = int(pathlib.Path(f"/run/libvirt/qemu/{self.name}.pid").read_text())
        if apparmor.label_of(pid) != f"{self.profile} (enforce)":
            raise Broken(f"QEMU is in the profile {apparmor.label_of(pid)}")

    def monitor(self, command, **arguments):
        told = must("virsh", "qemu-monitor-command", self.name,
                    json.dumps({"execute": command, "arguments": arguments}))
        return json.loads(told)

    def write(self, target, offset=0):
        """As the guest would: 2 MiB of the disk, which a slow job takes in several steps."""
        number = list(self.disks).index(target)
        must("virsh", "qemu-monitor-command", self.name, "--hmp",
             f'qemu-io -d /machine/peripheral/virtio-disk{number}/virtio-backend "write -q {offset} {2 * MIB}"')

    def image(self, name):
        """A name for an image that some operation makes."""
        self.images.append(IMAGES / f"{self.name}-{name}.qcow2")
        return self.images[-1]

    def snapshot(self, name, *targets):
        """New images on the disks, all in one; their names."""
        overlays, words = [], []
        for target in targets or ("vda",):
            overlays.append(self.image(f"{target}-{name}"))
            words += ["--diskspec", f"{target},snapshot=external,file={overlays[-1]}"]
        for other in set(self.disks) - set(targets or ("vda",)):
            words += ["--diskspec", f"{other},snapshot=no"]
        self.virsh("snapshot-create-as", name, "--disk-only", "--no-metadata", *words)
        return overlays if len(overlays) > 1 else overlays[0]

    def commit(self, target, top, base, *options):
        self.virsh("blockcommit", target, "--top", top, "--base", base, *options)

    def commit_active(self, target, base):
        self.virsh("blockcommit", target, "--active", "--pivot", "--base", base)

    def attach_and_detach(self, name):
        """What makes libvirt regenerate its profile: a disk that comes and goes."""
        image = self.image(name)
        must("qemu-img", "create", "-q", "-f", "qcow2", image, "1M")
        for verb in ("attach-device", "detach-device"):
            # SCSI, which needs no guest to let it go.
            must("virsh", verb, self.name, "/dev/stdin", "--live", input=disk(image, "sda", "scsi"))
        self.expect_allowed(image, "")

    def hurry(self, target):
        """Lets a slow job run to its end."""
        self.virsh("blockjob", target, "--bandwidth", "1000")
        self.await_job_end(target)

    def await_job_end(self, target):
        def over():
            return "No current block job" in run("virsh", "blockjob", self.name, target, "--info")[1]
        libvirtd.until(over, libvirtd.PATIENCE, f"the job of {target} ends")

    def await_ready(self, target):
        def ready():
            return "100 %" in run("virsh", "blockjob", self.name, target, "--info")[1]
        libvirtd.until(ready, libvirtd.PATIENCE, f"the job of {target} is ready")

    def chain(self, target):
        """As libvirt has it now, the active image first."""
        (element,) = [one for one in self.live().iter("disk") if one.find("target").get("dev") == target]
        images = []
        while element is not None and element.find("source") is not None:
            images.append(pathlib.Path(element.find("source").get("file")))
            element = element.find("backingStore")
        return images

    def live(self):
        return ElementTree.fromstring(must("virsh", "dumpxml", self.name))

    def allowed(self, path):
        return apparmor.allowed(self.profile, path)

    def expect_allowed(self, path, access):
        self.within(lambda: self.allowed(path) == access,
                    lambda: f"the kernel gives {path.name} '{self.allowed(path)}', not '{access}'")

    def expect_chain(self, target, *images):
        self.within(lambda: self.chain(target) == list(images),
                    lambda: f"libvirt's chain of {target} is {[one.name for one in self.chain(target)]}")

    def expect_tap(self):
        """The macvtap device that libvirt opened: the kernel asks again when QEMU first uses it."""
        (interface,) = self.live().iter("interface")
        name = interface.find("target").get("dev")
        index = pathlib.Path(f"/sys/class/net/{name}/ifindex").read_text().strip()
        access = self.allowed(f"/dev/tap{index}")
        if not {"r", "w"} <= set(access):
            raise Broken(f"the kernel gives /dev/tap{index} '{access}'")

    def expect_settled(self):
        """No operation runs: the kernel gives the active images for writing, what is below for
        reading, and of the VM's other images nothing."""
        wanted = {image: "" for image in self.images}
        for target in self.disks:
            active, *below = self.chain(target)
            wanted |= {active: "rwk"} | {image: "rk" for image in below}

        def wrong():
            return {image.name: f"'{self.allowed(image)}', not '{access}'"
                    for image, access in wanted.items() if self.allowed(image) != access}
        self.within(lambda: not wrong(), lambda: f"the kernel gives {wrong()}")

    @staticmethod
    def within(true_now, complaint):
        """What follows an operation's end may take a moment."""
        try:
            libvirtd.until(true_now, 10, "")
        except RuntimeError:
            raise Broken(complaint()) from None
