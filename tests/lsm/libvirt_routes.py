# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who keeps the AppArmor profile of a libvirt VM: one class for each way."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import libvirtd
from libvirtd import must
from machine import Broken

SOURCE = pathlib.Path(os.environ["OPENHOOK_SOURCE"])
BUILD = pathlib.Path(os.environ["OPENHOOK_BUILD"])
PROFILES = pathlib.Path("/etc/apparmor.d")
VIRT_AA_HELPER = "/usr/lib/libvirt/virt-aa-helper"


class Route:
    """A way to keep profiles; this one is Debian's libvirt as it is installed."""

    name = "stock"
    # Of cases that do not work: words of what does not hold.
    broken = {
        "a2": "Could not open '/var/lib/libvirt/images/{vm}-base.qcow2': Permission denied",
        "a4": "Could not open '/var/lib/libvirt/images/{vm}-top.qcow2': Permission denied",
        "b": "Could not open '/var/lib/libvirt/images/{vm}-top.qcow2': Permission denied",
        "c5": "the kernel gives {vm}-copy.qcow2 '', not 'rwk'",
        "c6": "the kernel gives {vm}-a-top.qcow2 'rk', not 'rwk'",
        "c8": "the kernel gives {vm}-a-top.qcow2 'rk', not 'rwk'",
        "d": "the kernel gives /dev/tap",
        "p": "Could not open '/var/lib/libvirt/images/{vm}-base.qcow2': Permission denied",
        "f": "the kernel gives {vm}-vda-s2.qcow2 'rwk', not ''",
    }

    def prepare(self):
        """Once, before the first VM."""

    def undo(self):
        """Once, after the last one: the host is as it was."""

    def define(self, vm):
        """Makes the VM known to libvirt, and whoever keeps its profile ready for its start."""
        vm.define()

    def check(self, vm):
        """At the end of a case that works, the VM still running: raises Broken where the keeper of
        the profile knows something else than the kernel and libvirt."""

    def why(self, vm):
        """What else the keeper knows of a case that does not work."""
        return ""

    def forget(self, vm):
        """Ends the VM, and what define() began."""
        vm.forget()


class Helper(Route):
    """openhook-aa-helper in the place of libvirt's, for VMs without a broker."""

    name = "helper"
    broken = {}

    def prepare(self):
        install()
        must(SOURCE / "policy/install/divert-aa-helper", "replace")

    def undo(self):
        must(SOURCE / "policy/install/divert-aa-helper", "restore")
        assert "openhook" not in must(VIRT_AA_HELPER, "--help"), "libvirt's own helper is back"

    def check(self, vm):
        compare(vm, self.known(vm))
        # A running QEMU would be unconfined.
        libvirtd.run(VIRT_AA_HELPER, "-R", "-u", vm.profile)
        if vm.allowed("/dev/null") is None:
            raise Broken("the profile of a running VM can be removed")

    @staticmethod
    def known(vm):
        """What the helper remembers: access by path."""
        access = {}
        for line in (PROFILES / f"libvirt/{vm.profile}.files").read_text().splitlines():
            rule = re.match(r'  "([^"]*)" (\w+),', line)
            if rule:
                path = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), rule[1])
                access[path] = access.get(path, "") + rule[2]
        return {path: "".join(letter for letter in "rwk" if letter in letters)
                for path, letters in access.items()}


class HelperWithBroker(Helper):
    """The same for VMs with a broker, which keeps the profile: libvirt's calls are its grants."""

    name = "broker"

    def __init__(self):
        self.processes = []

    def define(self, vm):
        names = ["--vm", vm.uuid]
        self.processes = [
            subprocess.Popen(["/usr/bin/openhook-loader", *names, "--name", vm.name]),
            subprocess.Popen(["/usr/bin/openhookd", *names, "--vm-user", "libvirt-qemu", "--profile", "apparmor"]),
        ]
        libvirtd.until(lambda: vm.allowed("/dev/null") is not None, libvirtd.PATIENCE, "the profile is loaded")
        super().define(vm)

    @staticmethod
    def known(vm):
        words = {"read": "rk", "read-write": "rwk", "create": "rwk"}
        told = json.loads(must("/usr/bin/openhookctl", "--vm", vm.uuid, "list", "--json"))
        access = {}
        for grant in told["grants"]:
            access[grant["path"]] = max(access.get(grant["path"], ""), words[grant["access"]], key=len)
        return access

    def forget(self, vm):
        super().forget(vm)
        for process in self.processes:
            process.terminate()
            process.wait()


def install():
    """The programs and profiles, as an administrator would."""
    for program in BUILD.glob("bin/openhook*"):
        shutil.copy(program, "/usr/bin")
    shutil.copytree(SOURCE / "policy/install/apparmor", PROFILES, dirs_exist_ok=True)
    for directory in ("/run/openhook", "/var/lib/openhook"):
        pathlib.Path(directory).mkdir(exist_ok=True)
    for profile in ("openhookd", "openhook-loader"):
        must("apparmor_parser", "-r", PROFILES / profile)


def compare(vm, known):
    """`known` is what the keeper of the profile says: access by path."""
    for image in vm.images:
        if known.get(str(image), "") != vm.allowed(image):
            raise Broken(f"the kernel gives {image.name} '{vm.allowed(image)}', "
                         f"its keeper '{known.get(str(image), '')}'")


ROUTES = [Route(), Helper(), HelperWithBroker()]
