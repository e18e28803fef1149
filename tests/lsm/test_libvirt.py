# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt on AppArmor: what works with its own helper, and what with openhook in its place.

Runs in a guest of the kernel lab with AppArmor in force. Each case of libvirt_cases.py runs by each
route of libvirt_routes.py; LIBVIRT_CASES (as "a2,broker:d") and LIBVIRT_ROUTES choose some. Judged by what the kernel
allows and by libvirt's chain, never by the kernel's log or virsh's exit status alone.
"""

import os
import sys
import time
import unittest

import apparmor
import libvirt_cases
import libvirt_owner
import libvirt_routes
import libvirtd
from machine import Broken

COLUMNS = ("stock", "helper", "broker", "owner", "owner-dynamic")
TABLE = {}


def chosen(variable, names, prefix=""):
    words = os.environ.get(variable)
    return [name for name in names if words is None or {name, prefix + name} & set(words.split(","))]


def setUpModule():
    apparmor.log_everything()
    libvirtd.must("ip", "link", "set", "dummy0", "up")
    libvirtd.start()
    assert apparmor.label_of(int(libvirtd.must("pidof", "libvirtd"))) == "libvirtd (enforce)"


def tearDownModule():
    print("\ncase | " + " | ".join(COLUMNS), file=sys.stderr)
    for name, (function, _) in libvirt_cases.CASES.items():
        cells = [TABLE.get((name, route), "-") for route in COLUMNS]
        print(f"{name} | " + " | ".join(cells) + f" | {function.__name__}", file=sys.stderr)


class Cases:
    """The cases by one route; see load_tests()."""

    route = None

    @classmethod
    def setUpClass(cls):
        cls.route.prepare()

    @classmethod
    def tearDownClass(cls):
        cls.route.undo()

    def outcome(self, name):
        """Nothing for a case that works, else what does not hold."""
        vm = libvirt_cases.make_machine(name, f"{self.route.name}-{name}")
        self.addCleanup(self.route.forget, vm)
        self.route.define(vm)
        try:
            libvirt_cases.CASES[name][0](vm)
            self.route.check(vm)
        except Broken as broken:
            return str(broken) + self.route.why(vm), vm
        return "", vm

    def run_case(self, name):
        begin = time.monotonic()
        fault, vm = self.outcome(name)
        seconds = f"{time.monotonic() - begin:.0f} s"
        TABLE[name, self.route.name] = f"{'FAILS' if fault else 'works'} ({seconds})"
        print(f"{self.route.name} {name}: {fault or 'works'} ({seconds})", file=sys.stderr)
        expected = self.route.broken.get(name)
        if expected is None:
            self.assertEqual(fault, "")
        else:
            self.assertIn(expected.format(vm=vm.name), fault)


def tests_of(route, names):
    """A test class with a method for each case."""
    def method(name):
        return lambda self: self.run_case(name)
    members = {f"test_{name}_{libvirt_cases.CASES[name][0].__name__}": method(name) for name in names}
    return type(route.name, (Cases, unittest.TestCase), {**members, "route": route})


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for route in [*libvirt_routes.ROUTES, *libvirt_owner.ROUTES]:
        if chosen("LIBVIRT_ROUTES", [route.name]):
            names = chosen("LIBVIRT_CASES", libvirt_cases.CASES, f"{route.name}:")
            suite.addTest(loader.loadTestsFromTestCase(tests_of(route, names)))
    return suite


if __name__ == "__main__":
    unittest.main()
