# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Linux guest that never stops writing while its disk's chain changes under it."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import guest
from lib.case import EndToEndCase


class WritingGuest(EndToEndCase):
    """The main job of the project, with a real operating system inside."""

    def setUp(self) -> None:
        super().setUp()
        guest.prepare()
        self.top = guest.make_disk(self.workspace.images)[-1]
        for file in guest.boot_files():
            self.access.grant_read(file)
        self.access.grant_chain(self.top)
        self.guest = guest.Guest(self.access, self.workspace.logs / "qemu.log")
        self.addCleanup(self.guest.close)
        self.guest.start(self.top)
        self.guest.wait_booted()

    def test_snapshot_and_active_commit_lose_no_record(self) -> None:
        self.guest.ask("start")
        self.wait_for_records(10)
        overlay = self.image("overlay.qcow2")
        self.access.grant_create(overlay, lease="job:snapshot")
        self.guest.snapshot(overlay)
        self.wait_for_records(10)
        self.guest.commit()
        self.access.revoke("job:snapshot")
        self.wait_for_records(10)
        self.guest.ask("stop")
        self.check_records()

    def wait_for_records(self, more: int) -> None:
        """Lets the guest write so many records; it fails when the guest cannot write."""
        wanted = int(self.guest.ask("count")) + more
        while int(self.guest.ask("count")) < wanted:
            pass

    def check_records(self) -> None:
        """Guest and host agree about the contents; nothing ungranted is open."""
        self.assertEqual(self.access.complaints(self.guest.vm.pid), [])
        seen_by_guest = self.guest.ask("sum")
        self.guest.power_off()
        self.assertEqual(guest.records_of(self.top, self.workspace.images), seen_by_guest)


if __name__ == "__main__":
    unittest.main()
