# SPDX-License-Identifier: LGPL-2.1-or-later
"""From asking for one more image to the kernel that allows it: by openhookctl, its broker and loader,
and by libvirt's own helper with apparmor_parser, as libvirtd calls it when a disk is attached. The two
take turns in one guest, with profiles that have the same abstraction; docs/specification.md has the
ratio.

Runs in a guest of the kernel lab with AppArmor in force.
"""

import subprocess
import time
import unittest

import apparmor
import confined
import machine
from lib import images

HELPER = "/usr/lib/libvirt/virt-aa-helper"
UUID = "22222222-2222-4222-8222-222222222222"
TURNS = 6


def setUpModule():
    confined.set_up()


class Latency(unittest.TestCase):
    def setUp(self):
        self.workspace = confined.Workspace()
        self.addCleanup(self.workspace.remove)
        self.broker = confined.InStepBroker(self.workspace)
        self.addCleanup(self.broker.stop)
        self.broker.start()
        self.chain = images.make_chain(self.workspace.images)
        self.broker.grant(self.chain.top, "--chain", "--format", "qcow2", "--write")
        self.domain = machine.DOMAIN.format(name="stock", uuid=UUID, seclabel="",
                                            devices=machine.disk(self.chain.top, "vda"))
        self.help("-c")

    def help(self, *words):
        subprocess.run([HELPER, *words, "-u", f"libvirt-{UUID}"], input=self.domain, text=True, check=True,
                       capture_output=True)

    def timed(self, profile, change, image):
        self.assertNotIn("w", apparmor.allowed(profile, image))
        begin = time.monotonic()
        change(image)
        seconds = time.monotonic() - begin
        self.assertEqual(apparmor.allowed(profile, image), "rwk")
        return seconds

    def test_a_grant_is_enforced_sooner_than_by_libvirts_helper(self):
        ours, theirs = [], []
        for turn in range(TURNS):
            image = images.make_raw(self.workspace.images / f"more{turn}", 4096)
            ours.append(self.timed(self.broker.profile, lambda one: self.broker.grant(one, "--write"),
                                   image))
            theirs.append(self.timed(f"libvirt-{UUID}", lambda one: self.help("-r", "-F", one), image))
        ratio = min(ours) / min(theirs)
        print(f"one more image: enforced after {min(ours) * 1000:.0f} ms, by virt-aa-helper after "
              f"{min(theirs) * 1000:.0f} ms, ratio {ratio:.2f}")
        self.assertLess(ratio, 1.0)


if __name__ == "__main__":
    unittest.main()
