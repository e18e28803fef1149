# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock libvirt on AppArmor, without openhook: what it confines, and what that breaks.

Runs in a guest of the kernel lab with AppArmor in force.
"""

import pathlib
import unittest

import apparmor
import libvirtd

NAME, UUID = "vm1", "11111111-1111-4111-8111-111111111111"
PROFILE = f"libvirt-{UUID}"


def setUpModule():
    apparmor.log_everything()
    libvirtd.start()


class StockLibvirt(unittest.TestCase):
    def setUp(self):
        self.base, self.middle, self.top = libvirtd.make_chain(NAME)
        libvirtd.define(NAME, UUID, self.top)
        self.addCleanup(libvirtd.run, "virsh", "destroy", NAME)
        libvirtd.must("virsh", "start", NAME)

    def commit(self, *options):
        return libvirtd.run("virsh", "blockcommit", NAME, "vda", "--wait", *map(str, options))

    def rules(self):
        return pathlib.Path(f"/etc/apparmor.d/libvirt/{PROFILE}.files").read_text()

    def test_confines_itself_and_its_vms(self):
        (pid,) = pathlib.Path("/run/libvirt/qemu").glob(f"{NAME}.pid")
        self.assertEqual(apparmor.label_of(int(pid.read_text())), f"{PROFILE} (enforce)")
        libvirt = libvirtd.must("pidof", "libvirtd")
        self.assertEqual(apparmor.label_of(int(libvirt)), "libvirtd (enforce)")

    def test_commits_a_snapshot_into_the_image_that_was_the_top_one_at_the_start(self):
        libvirtd.must("virsh", "snapshot-create-as", NAME, "s1", "--disk-only", "--no-metadata")
        status, told = self.commit("--active", "--pivot", "--base", self.top)
        self.assertEqual(status, 0, told)

    def test_cannot_commit_into_an_image_that_was_a_backing_file_at_the_start(self):
        status, told = self.commit("--top", self.middle, "--base", self.base)
        self.assertNotEqual(status, 0)
        self.assertIn(f"Could not open '{self.base}': Permission denied", told)
        # Though libvirt granted it: the rule from the start, which denies, outweighs that.
        self.assertIn(f'"{self.base}" rwk', self.rules())
        self.assertIn(f'deny "{self.base}" w', self.rules())
        # And nothing is in the log, because such a rule is quiet.
        self.assertEqual(apparmor.denials(profile=PROFILE, name=str(self.base)), [])


if __name__ == "__main__":
    unittest.main()
