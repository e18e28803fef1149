# SPDX-License-Identifier: LGPL-2.1-or-later
"""A broker that starts after a reboot, with files where nobody answers."""

import sqlite3
import time
import unittest

from silent import EVENTUALLY, IO_DEADLINE, SilentCase


class StartAfterAReboot(SilentCase):
    def test_ends_the_wait_and_marks_what_nobody_answered_for(self):
        self.broker.process.terminate()
        self.broker.process.wait(timeout=EVENTUALLY)
        with sqlite3.connect(self.broker.state_dir / f"{self.broker.vm}.db") as database:
            database.execute("UPDATE meta SET value = 'an earlier boot' WHERE key = 'boot_id'")
        database.close()
        self.fs.stop()
        begin = time.monotonic()
        self.broker.start()
        self.assertLess(time.monotonic() - begin, 3 * IO_DEADLINE)
        self.control = self.controller()
        stale = {one["path"]: one["stale"] for one in self.ctl("list")["grants"]}
        self.assertEqual(stale, {self.local: False, self.remote: True})
        event = self.last_event(self.remote)
        self.assertEqual((event["operation"], event["rule"]), ("start", "stale"))
        self.assertIn("no answer within", event["reason"])
        self.open_works(self.local)
        self.fs.go_on()
        self.grant(self.remote)
        self.open_works(self.remote)


if __name__ == "__main__":
    unittest.main()
