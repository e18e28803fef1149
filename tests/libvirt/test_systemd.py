# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where systemd runs: the broker of a machine is a unit, and libvirtd is restarted by it."""

import unittest

from domain import Domain
from libvirt import Libvirt
from systemd_host import SystemdHost


class Systemd(unittest.TestCase):
    def setUp(self) -> None:
        self.host = SystemdHost()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.libvirt = Libvirt(self.host, lock_manager=None)
        self.host.run("systemctl", "start", "libvirtd.service")
        self.vm = Domain(self.host, self.libvirt)
        self.vm.define(adopted=False)
        self.unit = f"openhookd@{self.vm.uuid}.service"

    def ctl(self, *words: str) -> str:
        return self.host.run("openhookctl", *words)

    def main_pid(self, unit: str) -> str:
        return self.host.systemctl("show", "--property=MainPID", "--value", unit)

    def test_a_machine_from_its_adoption_to_its_release(self) -> None:
        before = self.main_pid("libvirtd.service")
        self.assertIn("libvirtd is restarted.", self.ctl("host", "enable"))
        self.assertNotEqual(self.main_pid("libvirtd.service"), before)
        self.ctl("adopt", "vm1")
        self.vm.virsh("start")
        self.assertEqual(self.host.systemctl("is-active", self.unit), "active")
        self.assertEqual(self.main_pid(self.unit), self.supervisor())
        self.vm.check()
        self.kill_what_the_unit_runs()
        self.vm.virsh("snapshot-create-as", "--no-metadata", "--disk-only", "s1")
        self.vm.check()
        self.vm.virsh("destroy")
        self.assertEqual(self.host.systemctl("list-units", "--all", "--plain", "--no-legend",
                                             "openhookd@*"), "")
        self.assertFalse({"openhookd", "openhook-super"} & set(self.host.processes().values()))
        self.ctl("release", "vm1")
        self.assertIn("libvirtd is restarted.", self.ctl("host", "disable"))
        self.vm.virsh("start")
        self.assertNotIn("openhookd", self.host.processes().values())

    def supervisor(self) -> str:
        """By the pid that it has inside."""
        return self.host.run("pgrep", "-x", "openhook-super").strip()

    def kill_what_the_unit_runs(self) -> None:
        """systemd kills the broker, too, and starts both again."""
        before = self.main_pid(self.unit)
        self.host.run("kill", "-9", before)
        self.host.until(lambda: self.main_pid(self.unit) not in (before, "0")
                        and self.host.systemctl("is-active", self.unit) == "active",
                        f"{self.unit} starts again")


if __name__ == "__main__":
    unittest.main()
