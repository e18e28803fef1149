# SPDX-License-Identifier: LGPL-2.1-or-later
"""One domain of libvirt, adopted or not, with its broker and the comparison of what the broker
gives it with what its live definition says.
"""

import copy
import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, Optional
from xml.etree import ElementTree

import images
from host import CommandError, Host
from libvirt import Libvirt

# How long the broker may take to follow, where libvirt does not announce the end of an operation.
PATIENCE = 20.0

DEFINITION = """<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <emulator>{emulator}</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>
    <controller type='scsi' model='virtio-scsi'/>
    <controller type='virtio-serial'/>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
  {seclabel}
</domain>
"""
NO_CHOWN = "<seclabel type='none' model='dac'/>"
STOCK_QEMU = "/usr/bin/qemu-system-x86_64"


class Domain:
    def __init__(self, host: Host, libvirt: Libvirt, name: str = "vm1") -> None:
        self.host = host
        self.libvirt = libvirt
        self.name = name
        self.uuid = str(uuid.uuid4())
        self.directory = host.images / name
        self.directory.mkdir(mode=0o711)
        self.chain = images.make_chain(self.directory)
        self.adopted = False

    @property
    def top(self) -> Path:
        return self.chain[0]

    def define(self, adopted: bool = True) -> None:
        self.adopted = adopted
        emulator = str(self.host.programs / "openhook-qemu") if adopted else STOCK_QEMU
        text = DEFINITION.format(name=self.name, uuid=self.uuid, disk=self.top, emulator=emulator,
                                 seclabel=NO_CHOWN if adopted else "")
        if adopted:
            self.host.write(f"/etc/openhook/domains/{self.uuid}.conf", "# adopted by a test\n")
        self.libvirt.virsh("define", "/dev/stdin", text=text)

    def remove(self) -> None:
        """Whatever state it is in; nothing of it is left."""
        for words in (["destroy"], ["undefine", "--managed-save", "--snapshots-metadata",
                                    "--checkpoints-metadata"]):
            self.host.try_run("virsh", "-q", words[0], self.name, *words[1:])
        shutil.rmtree(self.directory)

    def virsh(self, command: str, *words: str, text: str = "") -> str:
        return self.libvirt.virsh(command, self.name, *words, text=text)

    def refused(self, command: str, *words: str) -> str:
        return self.libvirt.refused(command, self.name, *words)

    def state(self) -> str:
        return self.virsh("domstate").strip()

    def attach(self, disk: Path, target: str, *, kind: str = "qcow2", extra: str = "") -> None:
        self.virsh("attach-device", "/dev/stdin", text=disk_element(disk, target, kind, extra))

    def attach_refused(self, disk: Path, target: str, *, kind: str = "qcow2") -> str:
        path = self.host.root / "device.xml"
        path.write_text(disk_element(disk, target, kind, ""))
        return self.refused("attach-device", str(path))

    def live(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.virsh("dumpxml"))

    def ctl(self, *words: str) -> Any:
        argv = [str(self.host.programs / "openhookctl"), "--vm", self.uuid, *words, "--json"]
        return json.loads(self.host.run(*argv))

    def whitelist(self) -> dict[str, str]:
        """Files below the images' directory that live leases give, with the widest access."""
        given: dict[str, str] = {}
        for grant in self.ctl("list")["grants"]:
            path = grant["path"]
            if not grant["ended"] and path.startswith(str(self.directory.parent)):
                given[path] = max(given.get(path, ""), grant["access"], key=len)
        return given

    def expected(self) -> dict[str, str]:
        """The same as the live definition says it."""
        given: dict[str, str] = {}
        for disk in self.live().iter("disk"):
            access = "read" if disk.find("readonly") is not None else "read-write"
            _add_chain(disk, access, given)
            mirror = disk.find("mirror")
            if mirror is not None:
                _add_chain(mirror, "read-write", given)
        return given

    def difference(self) -> Optional[str]:
        expected = self.expected()
        try:
            given = self.whitelist()
        except CommandError as error:  # a broker that was killed is back in a moment
            return str(error)
        if given == expected:
            return None
        return f"the whitelist gives {_show(given)}\nthe definition says {_show(expected)}"

    def check(self) -> None:
        """Fails unless the whitelist is what the live definition says, soon."""
        deadline = time.monotonic() + PATIENCE
        while (difference := self.difference()) is not None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{difference}\n{self.story()}")
            time.sleep(0.05)

    def check_covered(self) -> None:
        """What libvirt may have forgotten: the whitelist has what the definition says, and beyond
        that nothing but what QEMU has open, with what that stands on."""
        deadline = time.monotonic() + PATIENCE
        while (wrong := self._uncovered()) is not None:
            if time.monotonic() > deadline:
                raise AssertionError(f"{wrong}\n{self.story()}")
            time.sleep(0.1)

    def _uncovered(self) -> Optional[str]:
        given, expected = self.whitelist(), self.expected()
        missing = [path for path, access in expected.items()
                   if len(given.get(path, "")) < len(access) and path in self._stood_on()]
        try:
            held = [path for path in given if path not in expected and self._is_held(path)]
            below = {path for one in held for path in images.chain_of(Path(one))}
            surplus = [path for path in given if path not in expected and path not in below]
        except CommandError as error:  # closed and forgotten since the list was made
            return str(error)
        if missing or surplus:
            return f"missing: {missing}, too much: {surplus}"
        return None

    def _stood_on(self) -> set[str]:
        """What the disks' headers lead to. A libvirtd that is killed before it has noted a job goes
        on naming an image that QEMU has committed."""
        files: set[str] = set()
        for disk in self.live().iter("disk"):
            source = disk.find("source")
            if source is not None and source.get("file"):
                files.update(images.chain_of(Path(source.get("file", ""))))
        return files

    def _is_held(self, path: str) -> bool:
        return bool(self.ctl("holders", path)["holders"])

    def moved(self, host: Host, libvirt: Libvirt) -> "Domain":
        """The same machine on the host that it was migrated to."""
        arrived = copy.copy(self)
        arrived.host, arrived.libvirt = host, libvirt
        return arrived

    def uses_of(self, path: Path) -> list[str]:
        """What was announced of a file and what was opened, in this order."""
        argv = [str(self.host.programs / "openhookctl"), "--vm", self.uuid, "watch", "--no-follow"]
        lines = [line.split() for line in self.host.run(*argv, "--last", "200").splitlines()]
        return [" ".join(words[2:4]) for words in lines
                if len(words) > 4 and words[2] in ("open", "announced") and str(path) in words[4]]

    def story(self) -> str:
        """What the broker decided last."""
        argv = [str(self.host.programs / "openhookctl"), "--vm", self.uuid]
        try:
            return self.host.run(*argv, "watch", "--no-follow", "--last", "40") + self.host.run(
                *argv, "list") + json.dumps(self.ctl("chain", "list"), indent=1)
        except CommandError as error:
            return str(error)

    def qemu_log(self) -> str:
        path = self.host.inside(f"/var/log/libvirt/qemu/{self.name}.log")
        return path.read_text(errors="replace") if path.exists() else ""

    def broker_pid(self) -> int:
        return int(self.ctl("status")["pid"])


def disk_element(disk: Path, target: str, kind: str, extra: str) -> str:
    return (f"<disk type='file' device='disk'><driver name='qemu' type='{kind}'/>"
            f"<source file='{disk}'/><target dev='{target}' bus='scsi'/>{extra}</disk>")


def _add_chain(element: ElementTree.Element, access: str, given: dict[str, str]) -> None:
    source = element.find("source")
    if source is not None and source.get("file"):
        path = source.get("file", "")
        given[path] = max(given.get(path, ""), access, key=len)
    backing = element.find("backingStore")
    if backing is not None:
        _add_chain(backing, "read", given)


def _show(given: dict[str, str]) -> str:
    return ", ".join(f"{Path(path).name} {access}" for path, access in sorted(given.items()))
