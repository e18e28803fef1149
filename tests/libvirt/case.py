# SPDX-License-Identifier: LGPL-2.1-or-later
"""The base of these tests: a host with libvirtd, the lock driver and the hook."""

import os
import unittest

from domain import Domain
from host import CommandError, Host
from images import owners
from libvirt import Libvirt

ROOT_ONLY = {(0, 0, 0o600)}


class LibvirtCase(unittest.TestCase):
    """One host for all tests of a class; machines of its own for each test."""

    host: Host
    libvirt: Libvirt

    @classmethod
    def setUpClass(cls) -> None:
        if os.geteuid() != 0:
            raise AssertionError("this test needs root: libvirtd of the system does")
        cls.host = Host()
        cls.addClassCleanup(cls.host.stop)
        cls.host.start()
        cls.libvirt = Libvirt(cls.host)
        cls.libvirt.install_hook()
        cls.libvirt.start()

    def domain(self, name: str = "vm1", adopted: bool = True) -> Domain:
        domain = Domain(self.host, self.libvirt, name)
        self.addCleanup(domain.remove)
        domain.define(adopted)
        return domain

    def started(self, name: str = "vm1", adopted: bool = True) -> Domain:
        domain = self.domain(name, adopted)
        try:
            domain.virsh("start")
        except CommandError as error:
            raise AssertionError(f"{error}\n{domain.qemu_log()}\n{self.libvirt.log()}") from error
        return domain

    def check(self, domain: Domain) -> None:
        """The whitelist is right, and the images are root's alone."""
        domain.check()
        self.assertEqual(owners(domain.directory), ROOT_ONLY)
