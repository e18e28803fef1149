# SPDX-License-Identifier: LGPL-2.1-or-later
"""The base of these tests: a host with libvirtd, the lock driver and the hook."""

import os
import unittest

from domain import Domain
from host import Host
from images import owners
from libvirt import Libvirt

ROOT_ONLY = {(0, 0, 0o600)}


class LibvirtCase(unittest.TestCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.fail("this test needs root: libvirtd of the system does")
        self.host = Host()
        self.addCleanup(self.host.stop)
        self.host.start()
        self.libvirt = Libvirt(self.host)
        self.libvirt.install_hook()
        self.libvirt.start()

    def domain(self, name: str = "vm1", adopted: bool = True) -> Domain:
        domain = Domain(self.host, self.libvirt, name)
        domain.define(adopted)
        return domain

    def started(self, name: str = "vm1", adopted: bool = True) -> Domain:
        domain = self.domain(name, adopted)
        try:
            domain.virsh("start")
        except Exception as error:
            raise AssertionError(f"{error}\n{domain.qemu_log()}\n{self.libvirt.log()}") from error
        return domain

    def check(self, domain: Domain) -> None:
        """The whitelist is right, and the images are root's alone."""
        domain.check()
        self.assertEqual(owners(domain.directory), ROOT_ONLY)
