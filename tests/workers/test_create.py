# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that a VM makes and removes where nobody may answer."""

import errno
import os
import unittest

from silent import SilentCase, wait_until
from client import FAILED, GRANT_CREATE, OK  # found where silent.py says


class CreatedOnFuse(SilentCase):
    def setUp(self):
        super().setUp()
        (self.fs.backing / "out").mkdir()
        self.grant(str(self.fs.where / "out"), GRANT_CREATE)
        self.path = str(self.fs.where / "out/new.img")
        self.behind = self.fs.backing / "out/new.img"

    def create(self, client, path=None, token=7):
        return client.open(path or self.path, 3, create=True, exclusive=True, mode=0o640, token=token)

    def test_is_made_opened_again_and_removed(self):
        client = self.client()
        reply = self.create(client)
        self.assertEqual(reply["outcome"], OK, self.last_event())
        os.write(reply["fd"], b"guest")
        os.close(reply["fd"])
        self.assertEqual(self.behind.read_bytes(), b"guest")
        self.open_works(self.path, client)
        # Its own repetition gets it, another request does not.
        again = self.create(client)
        self.assertEqual(again["outcome"], OK)
        os.close(again["fd"])
        self.assertEqual(self.create(client, token=8)["sys_errno"], errno.EEXIST)
        self.assertEqual(client.call(unlink={"path": self.path})["outcome"], OK)
        self.assertFalse(self.behind.exists())
        self.assertEqual(self.ctl("status")["created_files"], 0)

    def test_that_nobody_answers_does_not_hold_up_another_creation(self):
        local = self.broker.files / "local-out"
        local.mkdir()
        self.grant(str(local), GRANT_CREATE)
        self.fs.silence("create")
        hanging = self.ask_for(self.path, create=True, exclusive=True, mode=0o640, token=7)
        wait_until(lambda: self.status()["busy"] == 1, "a busy worker")
        made = self.create(self.client(), str(local / "new.img"))
        self.assertEqual(made["outcome"], OK)
        os.close(made["fd"])
        reply = hanging.receive_reply()
        self.assertEqual((reply["outcome"], reply["sys_errno"]), (FAILED, errno.ETIMEDOUT))
        # What was left behind, if anything, gives way to the next that is made under this name.
        self.fs.speak()
        wait_until(lambda: self.status()["stuck"] == 0, "no stuck worker")
        repeated = self.create(hanging)
        self.assertEqual(repeated["outcome"], OK, self.last_event(self.path))
        os.close(repeated["fd"])
        self.assertEqual(self.ctl("status")["created_files"], 2)

    def test_that_was_not_answered_is_looked_for_at_the_next_start(self):
        self.fs.silence("create")
        hanging = self.ask_for(self.path, create=True, exclusive=True, mode=0o640, token=7)
        self.assertEqual(hanging.receive_reply()["outcome"], FAILED)
        self.fs.speak()
        wait_until(self.behind.exists, "the file that nobody waited for")
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.ctl("status")["created_files"], 1)
        self.open_works(self.path)


if __name__ == "__main__":
    unittest.main()
