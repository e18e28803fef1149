# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that are attached to a running machine and are no disks: libvirt tells no lock driver of
them, and puts their nodes into the machine's own /dev.
"""

import time
import unittest
from typing import Optional

from case import LibvirtCase
from domain import PATIENCE
from host import CommandError

SERIAL = "/dev/openhook-serial"
ENTROPY = "/dev/openhook-entropy"
CHANNEL = (f"<channel type='dev'><source path='{SERIAL}'/>"
           "<target type='virtio' name='org.example.test'/></channel>")
RNG = f"<rng model='virtio'><backend model='random'>{ENTROPY}</backend></rng>"


class Devices(LibvirtCase):
    def setUp(self) -> None:
        super().setUp()
        for path, number in ((SERIAL, "3"), (ENTROPY, "8")):
            self.host.run("mknod", "-m", "0600", path, "c", "1", number)
            self.addCleanup(self.host.run, "rm", path)
        self.vm = self.started()

    def given(self, path: str) -> Optional[str]:
        """The access that the broker gives now."""
        for grant in self.vm.ctl("list")["grants"]:
            if grant["path"] == path and not grant["ended"]:
                self.assertEqual(grant["lease"], "libvirt:devices")
                return str(grant["access"])
        return None

    def device(self, command: str, text: str) -> None:
        try:
            self.vm.virsh(command, "/dev/stdin", text=text)
        except CommandError as error:
            raise AssertionError(f"{error}\n{self.vm.story()}\n{self.vm.qemu_log()}") from error

    def assert_ends(self, path: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.given(path) is not None:
            self.assertLess(time.monotonic(), deadline, self.vm.story())
            time.sleep(0.1)

    def open_by_monitor(self, path: str) -> str:
        """What QEMU says when somebody other than libvirt has it open the device."""
        return self.vm.virsh("qemu-monitor-command", "--hmp",
                             f"chardev-add serial,id=other,path={path}")

    def test_a_character_device_is_given_until_it_is_detached(self) -> None:
        self.device("attach-device", CHANNEL)
        self.assertEqual(self.given(SERIAL), "read-write")
        self.check(self.vm)
        self.device("detach-device", CHANNEL)
        self.assert_ends(SERIAL)
        self.assertIn("Permission denied", self.open_by_monitor(SERIAL))
        self.device("attach-device", CHANNEL)
        self.assertEqual(self.given(SERIAL), "read-write")

    def test_a_source_of_entropy_is_given_for_reading(self) -> None:
        self.device("attach-device", RNG)
        self.assertEqual(self.given(ENTROPY), "read")

    def test_a_live_definition_that_has_the_device_changes_nothing(self) -> None:
        self.device("attach-device", CHANNEL)
        said = self.host.run(str(self.host.programs / "openhookctl"), "reconcile", "vm1")
        self.assertIn("The whitelist is what the live definition says.", said)

    def test_a_broker_that_was_killed_meanwhile_does_not_give_it_any_more(self) -> None:
        self.device("attach-device", CHANNEL)
        self.host.kill(self.host.pid_of("openhookd"))
        self.device("detach-device", CHANNEL)
        self.assertIn("Permission denied", self.open_by_monitor(SERIAL))
        self.assertIsNone(self.given(SERIAL))

    def test_a_device_of_the_host_that_was_not_attached_is_refused(self) -> None:
        self.assertIn("Permission denied", self.open_by_monitor(SERIAL))
        self.assertIsNone(self.given(SERIAL))


if __name__ == "__main__":
    unittest.main()
