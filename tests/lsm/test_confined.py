# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real QEMU, and a real qemu-storage-daemon, in the profile that openhook keeps: their disks change
while they run, and after every step the kernel gives what the whitelist gives, file by file.

Runs in a guest of the kernel lab with AppArmor in force.
"""

import operator
import unittest

import apparmor
import confined
import libvirtd
import machine
import test_jobs  # found where PYTHONPATH says
from lib import images, settings
from lib.qemu import StorageDaemon

READ, WRITE = "read", "read-write"
KERNEL = {READ: "rk", WRITE: "rwk"}


def setUpModule():
    confined.set_up()


class ConfinedCase(test_jobs.JobCase):
    """JobCase on a host of confined.py; what it expects of the whitelist is expected of the kernel."""

    def new_workspace(self):
        return confined.Workspace()

    def new_access(self):
        return confined.Confined(self.workspace)

    def grant_disk(self, disk, top):
        super().grant_disk(disk, top)
        self.check_kernel()

    def expect(self, **files):
        self.check_kernel()
        super().expect(**files)
        self.await_equal()
        expected = {name: KERNEL[access] for name, access in files.items()}
        self.assertEqual({test_jobs._short(path): what
                          for path, what in self.broker.kernel(*confined.STRANGERS).items()}, expected)

    def check_kernel(self):
        """At the moment of an acknowledgement: each live access, and no other one for writing. Of what
        has ended the kernel may remember reading until it knows that QEMU has closed it."""
        kernel, given = self.broker.kernel_and_whitelist()
        for path in kernel.keys() | given.keys():
            self.assertEqual("w" in kernel.get(path, ""), "w" in given.get(path, ""), path)
            self.assertLessEqual(set(given.get(path, "")), set(kernel.get(path, "")), path)

    def await_equal(self):
        try:
            images.wait_until(lambda: operator.eq(*self.broker.kernel_and_whitelist()), "equality")
        except AssertionError:
            self.assertEqual(*self.broker.kernel_and_whitelist())


class QemuSystem(ConfinedCase):
    """The life of a machine with two disks, in one go: starting a QEMU takes a guest its time."""

    extra_disk = ("-device", "virtio-blk-pci,id=vdb,drive=vdb-top",
                  "-device", "virtio-scsi-pci,id=scsi")

    def test_snapshot_two_commits_at_once_hotplug_and_detach(self):
        self.vdb = images.make_chain(self.workspace.images, "vdb")
        images.create(self.image("strange.qcow2"))
        self.start()
        self.snapshot()
        self.commit_both()
        self.attach_and_detach()
        self.finish(self.chain.top)
        images.verify(self.vdb.top, self.vdb.contents)

    def start(self):
        self.grant_disk("vda", self.chain.top)
        self.grant_disk("vdb", self.vdb.top)
        nodes = self.nodes(self.chain) + self.nodes(self.vdb, "vdb-")
        self.vm.start_disk(nodes, *self.extra_disk)
        self.assertEqual(apparmor.label_of(self.vm.pid), f"{self.broker.profile} (enforce)")
        self.assertEqual(self.broker.control("status")["label_level"], "peer-and-files")
        self.write(3, 0x44)
        self.expect_disks(top=WRITE, middle=READ)

    def expect_disks(self, **more):
        """Beside what stays as it is all the time, while nothing is done to it."""
        rest = {"base": READ, "vdb-base": READ, "vdb-middle": READ, "vdb-top": WRITE}
        self.expect(**{**rest, **more})

    def snapshot(self):
        overlay = self.image("overlay.qcow2")
        job = self.broker.begin("snapshot", "vda", "--target", overlay, "--format", "qcow2")
        self.check_kernel()
        arguments = {"node-name": "top", "snapshot-file": str(overlay), "format": "qcow2"}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**arguments, "snapshot-node-name": "new"})
        self.check_kernel()
        self.broker.end(job, "completed")
        self.expect_disks(overlay=WRITE, top=READ, middle=READ)

    def commit_both(self):
        """The snapshot back into vda's image, and a backing file of vdb's into the one below it."""
        first = self.broker.begin("commit", "vda", "--base", self.chain.top)
        second = self.broker.begin("commit", "vdb", "--base", self.vdb.base, "--top",
                                   self.vdb.middle)
        both = {"overlay": WRITE, "middle": READ, "vdb-base": WRITE}
        self.expect_disks(top=WRITE, **both)
        self.vm.start_job("block-commit", {"device": "new", "base-node": "top"}, "vda-commit")
        layers = {"top-node": "vdb-middle", "base-node": "vdb-base"}
        self.vm.run_job("block-commit", {"device": "vdb-top", **layers}, "vdb-commit")
        self.broker.end(second, "completed")
        self.drop("vdb-middle")
        # What ends of one disk takes nothing from the other one's commit, which still runs.
        without_middle = {"base": READ, "vdb-base": READ, "vdb-top": WRITE}
        self.expect(**without_middle, overlay=WRITE, top=WRITE, middle=READ)
        self.vm.finish_job("vda-commit")
        self.broker.end(first, "pivoted")
        self.after = {**without_middle, "top": WRITE, "middle": READ}
        self.expect(**self.after)

    def attach_and_detach(self):
        extra = images.make_chain(self.workspace.images, "vdc")
        job = self.broker.begin("attach", "vdc", "--target", extra.top, "--format", "qcow2",
                                "--write")
        attached = {"vdc-base": READ, "vdc-middle": READ, "vdc-top": WRITE}
        self.expect(**self.after, **attached)
        for options in self.nodes(extra, "vdc-"):
            self.vm.blockdev_add(options)
        self.plug("vdc", "vdc-top")
        self.broker.end(job, "completed")
        self.expect(**self.after, **attached)
        self.broker.control("revoke", "--lease", "device:vdc")
        self.check_kernel()
        self.unplug("vdc")
        for options in reversed(self.nodes(extra, "vdc-")):
            self.vm.qmp.execute("blockdev-del", {"node-name": options["node-name"]})
        self.expect(**self.after)

    def plug(self, disk, node):
        device = {"driver": "scsi-hd", "id": disk, "bus": "scsi.0", "drive": node}
        self.vm.qmp.execute("device_add", device)

    def unplug(self, disk):
        self.vm.qmp.execute("device_del", {"id": disk})
        self.vm.qmp.wait_event("DEVICE_DELETED", lambda data: data.get("device") == disk)


class QemuStorageDaemon(QemuSystem):
    """The same without a machine: disks are exports."""

    extra_disk = ("--export", "type=nbd,id=vdb,node-name=vdb-top,name=vdb,writable=on")

    def new_vm(self):
        log = self.workspace.logs / "storage-daemon.log"
        return StorageDaemon(self.access, log, self.workspace.private / "nbd.sock")

    def plug(self, disk, node):
        export = {"type": "nbd", "id": disk, "node-name": node, "name": disk, "writable": True}
        self.vm.qmp.execute("block-export-add", export)

    def unplug(self, disk):
        self.vm.qmp.execute("block-export-del", {"id": disk})
        self.vm.qmp.wait_event("BLOCK_EXPORT_DELETED", lambda data: data["id"] == disk)


class Planner(unittest.TestCase):
    """openhook-plan in the profile that is shipped for it."""

    def plan(self):
        domain = machine.DOMAIN.format(name="lab", uuid="11111111-1111-4111-8111-111111111111",
                                       seclabel="", devices=machine.disk("/srv/disk.qcow2", "vda"))
        return libvirtd.run(settings.program("openhookctl"), "plan", "/dev/stdin", "--json",
                            input=domain)

    def test_reads_definitions_in_its_profile(self):
        shipped = (confined.ETC / "openhook-plan").read_text()
        self.addCleanup(apparmor.load, shipped)
        # That the profile is the planner's shows where it allows nothing.
        apparmor.load(apparmor.profile("openhook-plan", "", settings.program("openhook-plan")))
        self.assertNotEqual(self.plan()[0], 0)
        apparmor.load(shipped)
        status, told = self.plan()
        self.assertEqual(status, 0, told)
        self.assertIn("/srv/disk.qcow2", told)


if __name__ == "__main__":
    unittest.main()
