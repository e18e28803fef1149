# SPDX-License-Identifier: LGPL-2.1-or-later
"""The route on which openhook owns the profile: domains are adopted as docs/operations.md says, with a
static label, so that libvirt's helper is never called; or with the label that they have, where the
helper loads what openhook wrote."""

import json
import os
import pathlib
import shutil

import libvirtd
from libvirt_routes import Route
from libvirtd import must, run
from machine import Broken

ETC = pathlib.Path("/etc/apparmor.d")
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")
HELPER_CALL = "About to run LIBVIRT_LOG_OUTPUTS=3:stderr /usr/lib/libvirt/virt-aa-helper"


def install():
    """What cmake --install does, without the units of systemd."""
    build, source = (pathlib.Path(os.environ[name]) for name in ("OPENHOOK_BUILD", "OPENHOOK_SOURCE"))
    for program in build.glob("bin/openhook*"):
        shutil.copy(program, "/usr/bin")
    shutil.copy(build / "lib/libopenhook-preload.so", LIBRARIES.parent)
    (LIBRARIES / "libvirt/lock-driver").mkdir(exist_ok=True)
    shutil.copy(build / "lib/lock-driver/openhook.so", LIBRARIES / "libvirt/lock-driver")
    shutil.copytree(source / "policy/install/apparmor", ETC, dirs_exist_ok=True)


class Owner(Route):
    name = "owner"
    broken = {}
    adopt_options = ()

    def prepare(self):
        install()
        must("openhookctl", "host", "enable")
        libvirtd.restart()

    def undo(self):
        must("openhookctl", "host", "disable")
        libvirtd.restart()

    def define(self, vm):
        vm.define()
        must("openhookctl", "adopt", *self.adopt_options, vm.name)
        for image in vm.images:
            image.chmod(0o600)
        vm.helper_calls_before = self.helper_calls(vm)

    def forget(self, vm):
        run("virsh", "destroy", vm.name)
        must("openhookctl", "release", vm.name)
        vm.forget()

    def check(self, vm):
        self.check_whitelist(vm)
        self.check_helper(vm)

    def why(self, vm):
        return "\n" + run("openhookctl", "--vm", vm.uuid, "watch", "--no-follow", "--last", "30")[1]

    def check_whitelist(self, vm):
        """It is libvirt's chains, and in the kernel."""
        status = json.loads(must("openhookctl", "--vm", vm.uuid, "--json", "status"))
        if not status["profile"]["in_step"] or status["label_level"] != "peer-and-files":
            raise Broken(f"openhookd says {status}")
        wanted = {}
        for target in vm.disks:
            active, *below = vm.chain(target)
            wanted |= {str(active): "rwk"} | {str(image): "rk" for image in below}
        vm.within(lambda: self.given(vm) == wanted,
                  lambda: f"the whitelist is {self.given(vm)}, libvirt has {wanted}")

    @staticmethod
    def given(vm):
        """What the whitelist gives of the VM's images, in the kernel's letters."""
        union = {}
        for grant in json.loads(must("openhookctl", "--vm", vm.uuid, "--json", "list"))["grants"]:
            if pathlib.Path(grant["path"]).parent == libvirtd.IMAGES:
                writes = grant["access"] != "read" and not grant["ended"]
                union[grant["path"]] = "rwk" if writes else union.get(grant["path"], "rk")
        return union

    def helper_calls(self, vm):
        return sum(HELPER_CALL in line and vm.uuid in line
                   for line in libvirtd.LOG.read_text(errors="replace").splitlines())

    def check_helper(self, vm):
        if self.helper_calls(vm) != vm.helper_calls_before:
            raise Broken("libvirt called its helper")


class OwnerKeepingLabel(Owner):
    """The definition keeps libvirt's dynamic label."""

    name = "owner-dynamic"
    adopt_options = ("--keep-label",)

    def check_helper(self, vm):
        if self.helper_calls(vm) == vm.helper_calls_before:
            raise Broken("libvirt did not call its helper: this is another route")


ROUTES = [Owner(), OwnerKeepingLabel()]
