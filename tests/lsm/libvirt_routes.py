# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who keeps the AppArmor profile of a libvirt VM: one class for each way."""


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

    def forget(self, vm):
        """Ends the VM, and what define() began."""
        vm.forget()


ROUTES = [Route()]
