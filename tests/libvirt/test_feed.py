# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whitelist follows libvirt: start, attach, snapshot, commit, destroy."""

import unittest

import images
from case import LibvirtCase


class Feed(LibvirtCase):
    def test_follows_a_machine_from_its_start_to_its_end(self) -> None:
        domain = self.started()
        self.check(domain)

        data = images.make_chain(domain.directory, "data-")
        domain.attach(data[0], "sdb")
        self.check(domain)

        domain.virsh("snapshot-create-as", "--no-metadata", "--disk-only", "s1",
                     "--diskspec", "vda", "--diskspec", "sdb,snapshot=no")
        self.check(domain)

        domain.virsh("blockcommit", "vda", "--active", "--pivot", "--wait", "--shallow")
        self.check(domain)

        domain.virsh("detach-disk", "sdb")
        self.check(domain)

        domain.virsh("destroy")
        self.assertNotIn("openhookd", self.host.processes().values())


if __name__ == "__main__":
    unittest.main()
