# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 between any two steps of a change: after the restart the broker has the whitelist of
before or of after, never a mixture, and what a client was told is true."""

import os
import stat
import unittest

import killer
from scene import TOKEN, Scene, ask

from client import DENIED, FAILED, OK  # found by way of scene


class Interrupted(unittest.TestCase):
    """Runs one request again and again, each time killed one step later."""

    def each_step(self, request, check, prepare=lambda scene: None):
        """Calls check(scene, reply or None) after each kill, before the restart."""
        scene = Scene(prepare)
        steps = killer.steps_of(scene.broker.process.pid, lambda: ask(request, scene))
        scene.close()
        answered = 0
        for step in steps:
            with self.subTest(step):
                scene = Scene(prepare)
                try:
                    with killer.killed_before(scene.broker.process.pid, step):
                        reply = ask(request, scene)
                        # A step after the answer is reached all the same.
                        scene.broker.process.wait(timeout=10)
                    answered += reply is not None
                    check(scene, reply)
                finally:
                    scene.close()
        # The runs went through the whole request, not only through its beginning.
        self.assertGreater(answered, 0)
        self.assertLess(answered, len(steps))

    def check_old_or_new(self, request, prepare=lambda scene: None):
        scene = Scene(prepare)
        old = scene.whitelist()
        self.assertEqual(request(scene)["outcome"], OK)
        new = scene.whitelist()
        scene.close()
        self.assertNotEqual(old, new)
        seen = []

        def check(scene, reply):
            scene.restart()
            now = scene.whitelist()
            self.assertIn(now, (old, new))
            if reply is not None:
                self.assertEqual(reply["outcome"], OK)
                self.assertEqual(now, new)
            seen.append(now == new)

        self.each_step(request, check, prepare)
        # Once the new one is durable, it is there however late the kill comes.
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(set(seen), {False, True})

    def test_a_grant_of_several_files_is_all_or_nothing(self):
        self.check_old_or_new(Scene.grant)

    def test_a_revoke_is_all_or_nothing(self):
        self.check_old_or_new(Scene.revoke, prepare=Scene.grant)

    def test_the_begin_of_a_job_is_all_or_nothing(self):
        self.check_old_or_new(Scene.begin_job, prepare=Scene.chain)

    def test_the_end_of_a_job_is_all_or_nothing(self):
        def prepare(scene):
            scene.chain()
            scene.begin_job()

        self.check_old_or_new(Scene.end_job, prepare)

    def test_a_created_file_is_absent_or_the_vms_own(self):
        outcomes = set()

        def check(scene, reply):
            scene.restart()
            exists = scene.created.exists()
            self.assertEqual(scene.count_created(), int(exists))
            if reply is not None:
                self.assertEqual(reply["outcome"], OK)
                self.assertTrue(exists)
                self.assertEqual(stat.S_IMODE(scene.created.stat().st_mode), 0o640)
            outcomes.add(exists)
            self.check_repetition(scene)

        self.each_step(Scene.create, check)
        self.assertEqual(outcomes, {False, True})

    def check_repetition(self, scene):
        """The client's own repetition gets the file, somebody else's request does not."""
        fd = scene.create()["fd"]
        self.assertIsNotNone(fd)
        with os.fdopen(fd, "wb") as file:
            file.write(b"guest data")
        self.assertEqual(scene.created.read_bytes(), b"guest data")
        self.assertEqual(scene.create(token=TOKEN + 1)["outcome"], FAILED)
        removed = scene.data.call(unlink={"path": str(scene.created)})
        self.assertEqual(removed["outcome"], OK, removed["reason"])
        self.assertFalse(scene.created.exists())

    def test_a_file_that_was_there_before_is_never_taken_for_the_vms(self):
        def check(scene, reply):
            self.assertTrue(reply is None or reply["outcome"] == FAILED)
            scene.restart()
            self.assertEqual(scene.count_created(), 0)
            path = str(scene.created)
            self.assertEqual(scene.data.open(path)["outcome"], DENIED)
            self.assertNotEqual(scene.data.call(unlink={"path": path})["outcome"], OK)
            self.assertTrue(scene.created.exists())

        # Empty and root's own, as a lock file is: nothing but the time tells it from a new one.
        self.each_step(Scene.create, check, prepare=lambda scene: scene.created.touch())


if __name__ == "__main__":
    unittest.main()
