# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two VMs with brokers of their own, under one user, as libvirt runs them: one comes by what the other
one's files can be reached through. Each way is closed twice, by a broker and by the kernel; where a
broker would stop it first, it is told not to look, so that the kernel is seen.

Runs in a guest of the kernel lab with AppArmor in force.
"""

import os
import socket
import unittest

import apparmor
import confined
from lib import images
from vm_child import (ARRIVED, DROPPED, LEFT_TO_THE_KERNEL, VmChild, ask,
                      ask_on_received_connection, in_profile, pass_again, pass_connection_on,
                      pass_file_on, receive)

REFUSED = os.strerror(13)


def setUpModule():
    confined.set_up()


def start(case, name):
    """A VM with a broker, and a disk."""
    workspace = confined.Workspace(name)
    case.addClassCleanup(workspace.remove)
    broker = confined.InStepBroker(workspace)
    case.addClassCleanup(broker.stop)
    broker.start()
    broker.disk = images.make_raw(workspace.images / "disk.raw")
    broker.grant(broker.disk, "--write")
    return broker


class ForeignVm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.thief, cls.victim = start(cls, "thief"), start(cls, "victim")

    def setUp(self):
        self.disk = self.victim.disk
        self.assertEqual(self.as_victim(ask, self.victim.open_socket, self.disk), ARRIVED)
        self.logged_before = set(apparmor.denials())

    def as_thief(self, what, *arguments):
        return in_profile(self.thief.profile, what, *arguments)

    def as_victim(self, what, *arguments):
        return in_profile(self.victim.profile, what, *arguments)

    def keep(self, profile, what, *arguments):
        child = VmChild(profile, what, *arguments)
        self.addCleanup(child.end)
        return child

    def channel(self):
        pair = socket.socketpair()
        for end in pair:
            self.addCleanup(end.close)
        return pair

    def restart_victims_broker(self, *words):
        self.victim.kill()
        self.victim.extra = words
        self.victim.start()

    def denied(self, operation, path):
        """How often the kernel has denied this to the thief since the test began, by its log."""
        lines = apparmor.denials(operation=operation, profile=self.thief.profile, name=str(path))
        return len(set(lines) - self.logged_before)

    def open_to_all(self, *paths):
        """Nothing but AppArmor keeps the VM's user away, for the length of a test."""
        for path in paths:
            self.addCleanup(path.chmod, path.stat().st_mode)
            path.chmod(0o777)

    def test_path(self):
        self.assertIn("not on the whitelist",
                      self.as_thief(ask, self.thief.open_socket, self.disk))
        self.open_to_all(self.disk.parent, self.disk)
        self.assertEqual(self.as_thief(os.open, self.disk, os.O_RDONLY), REFUSED)
        self.assertEqual(self.denied("open", self.disk), 1)

    def test_socket(self):
        self.assertIn(f"the peer is '{self.thief.profile} (enforce)', another profile",
                      self.as_thief(ask, self.victim.open_socket, self.disk))
        self.restart_victims_broker("--peer-label", "unchecked")
        self.addCleanup(self.restart_victims_broker)
        self.assertEqual(self.as_thief(ask, self.victim.open_socket, self.disk), DROPPED)
        self.assertEqual(self.denied("file_receive", self.disk), 1)

    def test_stale_socket(self):
        left = self.victim.open_socket
        self.victim.kill()
        self.addCleanup(self.victim.start)
        self.assertEqual(self.as_thief(ask, left, self.disk), os.strerror(111))
        # Nor can another one be put in its place, for the victim to connect to: by the directory's mode.
        self.assertEqual(in_profile(None, os.unlink, left), REFUSED)
        self.open_to_all(left.parent)
        new = left.with_name("new.sock")
        self.assertEqual(self.as_thief(os.unlink, left), REFUSED)
        self.assertEqual(self.as_thief(bind, new), REFUSED)
        for operation, name in (("unlink", left), ("mknod", new)):
            self.assertEqual(self.denied(operation, name), 1, operation)

    def test_descriptor(self):
        ours, theirs = self.channel()
        owner = self.keep(self.victim.profile, pass_file_on, self.victim.open_socket, self.disk, ours)
        self.assertEqual(self.as_thief(receive, theirs), DROPPED)
        self.assertEqual(self.denied("file_receive", self.disk), 1)
        # Nor by the name that it has in the owner's table, though both have the same user.
        name = f"/proc/{owner.pid}/fd/{owner.told}"
        self.assertEqual(self.as_thief(ask, self.thief.open_socket, name), LEFT_TO_THE_KERNEL)
        self.assertEqual(self.as_thief(os.open, name, os.O_RDONLY), REFUSED)

    def test_relayed_descriptor(self):
        first, second = self.channel(), self.channel()
        self.keep(self.victim.profile, pass_file_on, self.victim.open_socket, self.disk, first[0])
        # An unconfined process, which the kernel lets have everything, does not make it cleaner.
        self.assertEqual(self.keep(None, pass_again, first[1], second[0]).told, 1)
        self.assertEqual(self.as_thief(receive, second[1]), DROPPED)
        self.assertEqual(self.denied("file_receive", self.disk), 1)
        # And it gets nothing itself.
        self.assertIn("'unconfined'", in_profile(None, ask, self.victim.open_socket, self.disk))

    def test_relayed_connection(self):
        for owner_lives, expected in ((True, DROPPED), (False, "the process that connected")):
            with self.subTest(owner_lives=owner_lives):
                ours, theirs = self.channel()
                owner = VmChild(self.victim.profile, pass_connection_on, self.victim.open_socket,
                                ours)
                if not owner_lives:
                    owner.end()
                told = self.as_thief(ask_on_received_connection, theirs, self.disk)
                self.assertIn(expected, told)
                if owner_lives:
                    owner.end()
        self.assertEqual(self.denied("file_receive", self.disk), 1)


def bind(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


if __name__ == "__main__":
    unittest.main()
