# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dies in the middle of an operation: the broker, libvirtd. And what is not there at all."""

import os
import random
import signal
import threading
import time
import unittest
from typing import Callable

import images
from case import LibvirtCase
from domain import Domain
from host import CommandError


SEED = int(os.environ.get("OPENHOOK_FAULTS_SEED", "20"))


class Faults(LibvirtCase):
    def setUp(self) -> None:
        super().setUp()
        self.vm = self.started()

    def operations(self, vm: Domain) -> list[tuple[str, Callable[[], object]]]:
        """One of each kind, in an order in which each has what it needs."""
        data = images.make_chain(vm.directory, "data-")
        iso = images.create(vm.directory / "one.iso", kind="raw")
        snapshot = ["snapshot-create-as", "--no-metadata", "--disk-only"]
        only_vda = ["--diskspec", "sdb,snapshot=no"]
        return [
            ("attach", lambda: vm.attach(data[0], "sdb")),
            ("medium", lambda: vm.virsh("change-media", "sda", str(iso))),
            ("snapshot", lambda: vm.virsh(*snapshot, "s1", *only_vda)),
            ("snapshot", lambda: vm.virsh(*snapshot, "s2", *only_vda)),
            ("inner commit", lambda: vm.virsh("blockcommit", "vda", "--top", str(vm.chain[1]),
                                              "--base", str(vm.chain[2]), "--wait")),
            ("active commit", lambda: vm.virsh("blockcommit", "vda", "--active", "--pivot",
                                               "--wait", "--shallow")),
            ("copy", lambda: vm.virsh("blockcopy", "vda", str(vm.directory / "copy.qcow2"),
                                      "--transient-job", "--wait", "--pivot", "--shallow")),
            ("pull", lambda: vm.virsh("blockpull", "vda", "--wait")),
            ("suspend", lambda: vm.virsh("suspend")),
            ("resume", lambda: vm.virsh("resume")),
            ("detach", lambda: vm.virsh("detach-disk", "sdb")),
        ]

    def test_the_broker_is_killed_in_the_middle_of_each_operation(self) -> None:
        rng = random.Random(SEED)
        for name, operation in self.operations(self.vm):
            with self.subTest(name):
                killer = threading.Timer(rng.uniform(0, 0.06), self.kill_broker)
                killer.start()
                operation()
                killer.join()
                self.check(self.vm)
                self.assertIn(self.vm.state(), ("running", "paused"))
        self.vm.virsh("destroy")
        self.assert_nothing_is_left()

    def kill_broker(self) -> None:
        for pid, name in self.host.processes().items():
            if name == "openhookd":
                self.host.kill(pid)

    def test_libvirtd_is_killed_in_the_middle_of_each_operation(self) -> None:
        rng = random.Random(SEED + 1)
        for name, operation in self.operations(self.vm):
            with self.subTest(name):
                worker = threading.Thread(target=_quietly, args=(operation,))
                worker.start()
                time.sleep(rng.uniform(0, 0.06))
                self.libvirt.restart()
                worker.join()
                self.settle(operation)
                if self.libvirt.has_forgotten(self.vm.name):
                    return self.end_without_libvirt()
                self.assertIn(self.vm.state(), ("running", "paused"), self.end_of_machine())
                self.covers(self.vm)

    def end_without_libvirt(self) -> None:
        """The machine and its broker go on, and are ended by hand."""
        for name in ("qemu-system-x86", "openhook-super", "openhookd"):
            self.host.kill(self.host.pid_of(name))

    def end_of_machine(self) -> str:
        return f"{self.vm.qemu_log()}\n{self.libvirt.log()}"

    def settle(self, operation: Callable[[], object]) -> None:
        """The operation once more, where it was not done: libvirt says so, or refuses."""
        _quietly(lambda: self.vm.virsh("blockjob", "vda", "--abort"))
        self.libvirt.revive()
        _quietly(operation)
        self.libvirt.revive()

    def covers(self, domain: Domain) -> None:
        """Whatever libvirt forgot: what the definition has is given, and nothing more than that
        but files that QEMU has open."""
        domain.check_covered()

    def test_libvirtd_starts_anew_and_the_broker_too(self) -> None:
        self.kill_supervisor()
        self.kill_broker()
        self.libvirt.restart(signal.SIGTERM)
        self.check(self.vm)
        self.assertEqual(self.vm.state(), "running")

    def kill_supervisor(self) -> None:
        for pid, name in self.host.processes().items():
            if name == "openhook-super":
                self.host.kill(pid)

    def test_a_machine_without_its_broker_does_not_start_and_says_why(self) -> None:
        self.vm.virsh("destroy")
        self.host.inside("/etc/libvirt/hooks/qemu.d/openhook").unlink()
        self.addCleanup(self.libvirt.restart, signal.SIGTERM)
        self.addCleanup(self.libvirt.install_hook)
        self.libvirt.restart(signal.SIGTERM)
        with self.assertRaises(CommandError):
            self.vm.virsh("start")
        self.assertIn("openhook-qemu: ", self.vm.qemu_log())

    def test_a_definition_that_asks_for_what_is_refused_does_not_start(self) -> None:
        self.vm.virsh("destroy")
        self.vm.virsh("attach-disk", "/etc/shadow", "vdb", "--config")
        said = self.vm.refused("start")
        self.assertIn("/etc/shadow", said)
        self.assert_nothing_is_left()

    def assert_nothing_is_left(self) -> None:
        names = list(self.host.processes().values())
        self.assertNotIn("openhookd", names)
        self.assertNotIn("openhook-super", names)
        self.assertFalse(self.host.inside(f"/run/openhook/{self.vm.uuid}/control.sock").exists())


def _quietly(operation: Callable[[], object]) -> None:
    try:
        operation()
    except CommandError:
        pass


if __name__ == "__main__":
    unittest.main()
