# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several machines on one host, two hosts, and many starts."""

import os
import shutil
import signal
import time
import unittest
from pathlib import Path

import images
from case import LibvirtCase
from domain import Domain
from host import Host
from libvirt import Libvirt

ROUNDS = int(os.environ.get("OPENHOOK_LIBVIRT_ROUNDS", "5"))


class SideBySide(LibvirtCase):
    def test_two_adopted_machines_and_one_that_is_not(self) -> None:
        first, second = self.started("vm1"), self.started("vm2")
        stock = self.started("vm3", adopted=False)
        for vm in (first, second, stock):
            data = images.make_chain(vm.directory, "data-")
            vm.attach(data[0], "sdb")
            vm.virsh("snapshot-create-as", "--no-metadata", "--disk-only", "s1", "--diskspec",
                     "sdb,snapshot=no")
            vm.virsh("blockcommit", "vda", "--active", "--pivot", "--wait", "--shallow")
        self.check(first)
        self.check(second)
        self.assertEqual(stock.state(), "running")
        self.assertFalse(set(first.whitelist()) & set(second.whitelist()))
        self.assertNotIn("openhook-qemu", stock.qemu_log())
        first.virsh("destroy")
        self.check(second)
        self.assertEqual(second.state(), "running")

    def test_machines_that_are_not_adopted_do_not_notice_the_lock_driver(self) -> None:
        stock = self.started("vm3", adopted=False)
        stock.virsh("suspend")
        stock.virsh("resume")
        stock.virsh("managedsave")
        stock.virsh("start")
        self.libvirt.restart(signal.SIGTERM)
        self.assertEqual(stock.state(), "running")
        stock.virsh("destroy")
        self.assertNotIn("openhookd", self.host.processes().values())

    def test_many_starts_leave_nothing(self) -> None:
        vm = self.domain()
        before = self.traces(vm)
        for _ in range(ROUNDS):
            vm.virsh("start")
            vm.virsh("destroy")
            self.assertEqual(self.traces_soon(vm, before), before)

    def traces_soon(self, vm: Domain, expected: object) -> object:
        """The broker has ended when virsh returns; who stayed with it, and its workers, follow."""
        deadline = time.monotonic() + 5
        while (traces := self.traces(vm)) != expected and time.monotonic() < deadline:
            time.sleep(0.01)
        return traces

    def traces(self, vm: Domain) -> tuple[list[str], list[str], int]:
        """Processes, files of the machine's run directory, descriptors of libvirtd."""
        names = sorted(self.host.processes().values())
        run = self.host.inside(f"/run/openhook/{vm.uuid}")
        files = sorted(path.name for path in run.iterdir()) if run.exists() else []
        sockets = [name for name in files if name.endswith(".sock")]
        pid = self.libvirt.pid()
        count = int(self.host.run("sh", "-c", f"ls /proc/{pid}/fd | wc -l"))
        return names, sockets, count // 4  # an idle connection comes and goes


class Delegation(LibvirtCase):
    def test_lockd_is_asked_too_and_released_by_a_veto(self) -> None:
        self.host.write("/etc/libvirt/qemu-openhook.conf", 'delegate = "lockd"\n')
        self.host.run("/usr/sbin/virtlockd", "-d")
        plugins = self.host.programs.parent / "plugins"
        stock = "/usr/lib/x86_64-linux-gnu/libvirt/lock-driver/lockd.so"
        self.host.run("sh", "-c", f"mkdir {plugins} && ln -s {stock} {plugins} && "
                      f"ln -s {self.host.programs.parent}/lib/lock-driver/openhook.so {plugins}")
        self.libvirt.plugins = Path(plugins)
        self.libvirt.restart(signal.SIGTERM)
        vm = self.started()
        self.check(vm)
        locks = self.host.run("cat", "/proc/locks")
        self.assertIn(f":{vm.top.stat().st_ino} ", locks)
        refused = vm.attach_refused(Path("/etc/shadow"), "sdb", kind="raw")
        self.assertIn("openhook: ", refused)
        self.assertNotIn(f":{os.stat('/etc/shadow').st_ino} ", self.host.run("cat", "/proc/locks"))
        vm.virsh("snapshot-create-as", "--no-metadata", "--disk-only", "s1")
        self.check(vm)


class Migration(LibvirtCase):
    def test_a_machine_moves_to_another_libvirtd(self) -> None:
        """The source has given the disk up when libvirt announces it."""
        vm = self.started()
        self.check(vm)
        arrived = self.move(vm, *self.destination(vm), "--unsafe")
        self.assertEqual(arrived.uses_of(arrived.top),
                         ["open read", "announced read-write", "open read-write"])

    def test_a_machine_moves_with_its_storage(self) -> None:
        """QEMU of the destination writes to its disks before it runs, and before libvirt says so."""
        vm = self.started()
        other, libvirt = self.destination(vm)
        copies = self.host.root / "copies"
        shutil.copytree(vm.directory, copies)
        other.run("mount", "--bind", str(copies), str(vm.directory))
        before = copies.joinpath(vm.top.name).read_bytes()
        arrived = self.move(vm, other, libvirt, "--copy-storage-all", "--disks-port", "49272")
        self.assertEqual(arrived.uses_of(arrived.top)[:2], ["open read", "open read-write"])
        self.assertNotEqual(copies.joinpath(vm.top.name).read_bytes(), before)

    def destination(self, vm: Domain) -> tuple[Host, Libvirt]:
        other = Host("openhook-libvirt-dst-")
        self.addCleanup(other.stop)
        other.start()
        libvirt = Libvirt(other, host_uuid="aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee")
        libvirt.install_hook()
        libvirt.start()
        other.write(f"/etc/openhook/domains/{vm.uuid}.conf", "# adopted by a test\n")
        return other, libvirt

    def move(self, vm: Domain, other: Host, libvirt: Libvirt, *words: str) -> Domain:
        socket = self.host.root / f"peer-{vm.uuid}"
        libvirt.listen_at(socket)
        vm.virsh("migrate", "--live", "--p2p", *words, f"qemu+unix:///system?socket={socket}",
                 "--migrateuri", "tcp://127.0.0.1:49271", "--listen-address", "127.0.0.1")
        arrived = vm.moved(other, libvirt)
        self.check(arrived)
        self.assertEqual(arrived.state(), "running")
        self.assertNotIn("openhookd", self.host.processes().values())
        return arrived


if __name__ == "__main__":
    unittest.main()
