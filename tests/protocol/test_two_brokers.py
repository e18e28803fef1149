# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two brokers of one host: what one VM may write to, the other may not, whatever dies meanwhile."""

import errno
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from broker import Broker
from client import (DENIED, FAILED, GRANT_CREATE, GRANT_READ, GRANT_READ_WRITE, OK, READ,
                    READ_WRITE, ControlConnection, OpenConnection)

FIRST = "11111111-2222-3333-4444-555555555555"
SECOND = "22222222-2222-3333-4444-555555555555"


class TwoBrokers(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="openhook-")
        self.addCleanup(shutil.rmtree, self.root)
        self.first = self.broker(FIRST)
        self.second = self.broker(SECOND)
        self.path = self.first.write("disk.img")

    def broker(self, vm):
        broker = Broker(root=self.root, vm=vm)
        self.addCleanup(broker.stop)
        return broker

    def grant(self, broker, path, access=GRANT_READ_WRITE, **fields):
        with ControlConnection(broker.control_socket).greeted() as control:
            return control.grant(path, access, **fields)

    def revoke(self, broker):
        with ControlConnection(broker.control_socket).greeted() as control:
            reply = control.call(revoke={"paths": [self.path]})
        self.assertEqual(reply["outcome"], OK, reply["reason"])

    def assert_granted(self, reply):
        self.assertEqual(reply["outcome"], OK, reply["reason"])

    def assert_refused(self, reply, holder):
        self.assertEqual((reply["outcome"], reply["code"]), (FAILED, "conflict"), reply["reason"])
        self.assertIn(holder, reply["reason"])
        self.assertIn(self.path, reply["reason"])

    def open(self, broker, access):
        """Outcome and errno of an open of the disk."""
        with OpenConnection(broker.open_socket).greeted() as data:
            reply = data.open(self.path, access)
        if reply["fd"] is not None:
            os.close(reply["fd"])
        return reply["outcome"], reply["sys_errno"]

    def lock_files(self):
        return list((Path(self.root) / "state" / "locks").iterdir())

    def test_the_second_is_refused_until_the_first_revokes(self):
        self.assert_granted(self.grant(self.first, self.path))
        for access in (GRANT_READ_WRITE, GRANT_CREATE):
            self.assert_refused(self.grant(self.second, self.path, access), FIRST)
        self.assert_granted(self.grant(self.second, self.path, GRANT_READ))
        self.revoke(self.first)
        self.assert_granted(self.grant(self.second, self.path))
        self.assertEqual(self.open(self.second, READ_WRITE), (OK, 0))

    def test_an_orderly_end_lets_go_and_leaves_a_note(self):
        self.assert_granted(self.grant(self.first, self.path))
        self.first.stop()
        (note,) = self.lock_files()
        self.assertIn(FIRST.encode(), note.read_bytes())
        self.assert_granted(self.grant(self.second, self.path))
        self.revoke(self.second)
        self.assertEqual(self.lock_files(), [])

    def test_kill_9_lets_go_and_a_restart_takes_again(self):
        self.assert_granted(self.grant(self.first, self.path))
        for _ in range(5):
            self.first.kill()
            self.first.start()
            self.assert_refused(self.grant(self.second, self.path), FIRST)
            self.assertEqual(self.open(self.first, READ_WRITE), (OK, 0))
        self.first.kill()
        self.assert_granted(self.grant(self.second, self.path))

    def test_a_file_taken_meanwhile_is_read_only_for_now(self):
        self.assert_granted(self.grant(self.first, self.path))
        self.first.kill()
        self.assert_granted(self.grant(self.second, self.path))
        self.first.start()
        self.assertEqual(self.open(self.first, READ), (OK, 0))
        self.assertEqual(self.open(self.first, READ_WRITE), (DENIED, errno.EACCES))
        with ControlConnection(self.first.control_socket).greeted() as control:
            explained = control.call(explain={"path": self.path, "write": True})["explain"]
        self.assertEqual((explained["allow"], explained["rule"]), (False, "locked-by-another-vm"))
        self.assertIn(SECOND, explained["reason"])
        self.assertEqual(self.open(self.second, READ_WRITE), (OK, 0))

        self.second.kill()
        self.assertEqual(self.open(self.first, READ_WRITE), (OK, 0))
        self.second.start()
        self.assertEqual(self.open(self.second, READ_WRITE), (DENIED, errno.EACCES))

    def test_what_the_client_is_told_does_not_name_the_other_vm(self):
        self.assert_granted(self.grant(self.first, self.path))
        self.first.kill()
        self.assert_granted(self.grant(self.second, self.path))
        self.first.start()
        with OpenConnection(self.first.open_socket).greeted() as data:
            reason = data.open(self.path, READ_WRITE)["reason"]
        self.assertIn("another VM", reason)
        self.assertNotIn(SECOND, reason)

    def test_a_shareable_disk_is_for_both(self):
        for broker in (self.first, self.second):
            reply = self.grant(broker, self.path, shareable=True)
            self.assert_granted(reply)
            self.assertTrue(reply["change"]["grants"][0]["shareable"])
            self.assertEqual(self.open(broker, READ_WRITE), (OK, 0))
        self.assert_refused(self.grant(self.first, self.path, lease="job"), SECOND)
        with ControlConnection(self.first.control_socket).greeted() as control:
            listed, = control.call(list={})["list"]["grants"]
        self.assertTrue(listed["shareable"])

    def test_a_broker_with_a_lock_directory_of_its_own_is_not_seen(self):
        """Documented: one directory for all brokers of a host."""
        apart = Broker(root=self.root, vm="33333333-2222-3333-4444-555555555555",
                       extra=["--lock-dir", self.root + "/elsewhere"])
        self.addCleanup(apart.stop)
        self.assert_granted(self.grant(self.first, self.path))
        self.assert_granted(self.grant(apart, self.path))
        self.assertEqual(len(list(Path(self.root, "elsewhere").iterdir())), 1)

    def test_the_lock_directory_is_closed_to_others(self):
        self.assertEqual((Path(self.root) / "state" / "locks").stat().st_mode & 0o7777, 0o700)


if __name__ == "__main__":
    unittest.main()
