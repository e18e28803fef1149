# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two VMs of one host, each with a broker of its own, and one disk: a guest's file system would be
gone within seconds. The second VM does not get it, and the first one does not notice."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images, settings
from lib.access import Brokered
from lib.broker import RefusedError
from lib.case import VmCase, implicit_chain
from lib.qemu import Qemu, StartError


class TwoVms(VmCase):
    def setUp(self) -> None:
        if settings.NATIVE:
            self.skipTest("only with a broker")
        super().setUp()
        assert isinstance(self.access, Brokered)
        self.other = Brokered(self.workspace)
        self.addCleanup(self.other.stop)
        self.other.start()

    def other_vm(self) -> Qemu:
        vm = Qemu(self.other, self.workspace.logs / "other-qemu.log")
        self.addCleanup(vm.destroy)
        return vm

    def check_first_lives(self, byte: int) -> None:
        self.write(5, byte)
        images.verify(self.chain.top, self.chain.contents, live=True)
        self.check_descriptors()

    def test_the_second_vm_does_not_get_the_disk_of_the_first(self) -> None:
        self.start_vm()
        with self.assertRaises(RefusedError) as refused:
            self.other.grant_chain(self.chain.top)
        for word in (self.access.broker.vm, str(self.chain.top), "--shareable", "[conflict]"):
            self.assertIn(word, str(refused.exception))
        self.assertEqual(self.other.broker.grants(), [])
        with self.assertRaises(StartError) as failed:
            self.other_vm().start_disk([implicit_chain(self.chain.top, "top")])
        self.assertIn("Permission denied", str(failed.exception))
        self.check_first_lives(0x66)
        self.finish(self.chain.top)

    def test_the_disk_moves_when_the_first_vm_is_over(self) -> None:
        self.start_vm()
        self.finish(self.chain.top)
        self.access.revoke("domain")
        self.other.grant_chain(self.chain.top)
        vm = self.other_vm()
        vm.start_disk(self.nodes(self.chain))
        vm.write(6, 0x67)
        vm.quit()
        images.verify(self.chain.top, {**self.chain.contents, 6: 0x67})

    def test_a_revoke_does_not_free_a_disk_that_is_still_open(self) -> None:
        self.start_vm()
        self.access.revoke("domain")
        self.assertFalse(self.other_may_have_it())
        self.vm.quit()
        images.wait_until(self.other_may_have_it, "the disk of a VM that is over")

    def other_may_have_it(self) -> bool:
        try:
            self.other.grant_write(self.chain.top)
        except RefusedError:
            return False
        return True

    def test_two_vms_run_on_one_backing_file(self) -> None:
        overlay = images.overlay(self.image("other.qcow2"), self.chain.middle)
        self.start_vm()
        self.other.grant_chain(overlay)
        vm = self.other_vm()
        vm.start_disk([implicit_chain(overlay, "top")])
        vm.write(6, 0x68)
        self.check_first_lives(0x69)
        vm.quit()
        self.finish(self.chain.top)

    def test_a_broker_that_lost_its_disk_while_it_was_away_does_not_end_its_vm(self) -> None:
        self.start_vm()
        self.access.broker.kill()
        self.other.grant_chain(self.chain.top)
        self.access.broker.start()
        self.check_first_lives(0x6A)
        explained = self.access.broker.control("explain", str(self.chain.top), "--write")
        self.assertEqual(explained["rule"], "locked-by-another-vm")
        self.assertIn(self.other.broker.vm, explained["reason"])
        self.other.stop()
        explained = self.access.broker.control("explain", str(self.chain.top), "--write")
        self.assertEqual(explained["decision"], "allow")
        self.finish(self.chain.top)


if __name__ == "__main__":
    unittest.main()
