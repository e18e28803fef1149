# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 between any two steps of a change: after the restart the broker has the whitelist of
before or of after, never a mixture, and what a client was told is true."""

import os
import pathlib
import stat
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "protocol"))

import killer
from broker import Broker
from client import (DENIED, FAILED, GRANT_CREATE, GRANT_READ, GRANT_READ_WRITE, OK, READ_WRITE,
                    Closed, ControlConnection, OpenConnection)

TOKEN = 0x1122334455667788


class Scene:
    """A broker with some grants, ready for one more request."""

    def __init__(self, prepare=lambda scene: None):
        self.broker = Broker()
        self.paths = [self.broker.write(name) for name in ("top.img", "middle.img", "base.img")]
        self.new_dir = self.broker.files / "new"
        self.new_dir.mkdir()
        self.created = self.new_dir / "created"
        os.symlink("top.img", self.broker.files / "link.img")
        with ControlConnection(self.broker.control_socket).greeted() as control:
            # The request below replaces one grant of its lease, and leaves another lease's alone.
            for path, access, lease in ((self.paths[0], GRANT_READ, "vda"),
                                        (self.paths[2], GRANT_READ, "other"),
                                        (str(self.new_dir), GRANT_CREATE, "new")):
                assert control.grant(path, access, lease=lease)["outcome"] == OK
        self.control = ControlConnection(self.broker.control_socket).greeted()
        self.data = OpenConnection(self.broker.open_socket).greeted()
        prepare(self)

    def close(self):
        self.control.close()
        self.data.close()
        self.broker.stop()

    def restart(self):
        """As systemd would after a crash: the same state, new connections."""
        self.control.close()
        self.data.close()
        self.broker.process.wait()
        self.broker.start()
        self.control = ControlConnection(self.broker.control_socket).greeted()
        self.data = OpenConnection(self.broker.open_socket).greeted()

    def whitelist(self):
        """What is in force, in an order of its own and without the scene's random directory."""
        listed = self.control.call(list={})["list"]
        prefix = os.fsencode(self.broker.root)
        return sorted((g["lease"], g["path"].removeprefix(prefix),
                       sorted(alias.removeprefix(prefix) for alias in g["aliases"]), g["access"],
                       g["format"], g["depth"], g["stale"]) for g in listed["grants"])

    def count_created(self):
        return self.control.call(status={})["status"]["created_files"]

    # The requests that are interrupted.

    def grant(self):
        files = str(self.broker.files)
        specs = [{"path": path, "access": GRANT_READ_WRITE if depth == 0 else GRANT_READ,
                  "depth": depth, "format": "qcow2",
                  "aliases": [f"{files}/./new/../{os.path.basename(path)}"]}
                 for depth, path in enumerate(self.paths)]
        specs[0]["aliases"].append(f"{files}/link.img")
        return self.control.call(grant={"lease": "vda", "grants": specs})

    def revoke(self):
        return self.control.call(revoke={"lease": "vda"})

    def create(self, token=TOKEN):
        return self.data.open(str(self.created), READ_WRITE, create=True,
                              exclusive=True, mode=0o640, token=token)


def close_descriptor(reply):
    if reply and reply.get("fd") is not None:
        os.close(reply["fd"])


class Interrupted(unittest.TestCase):
    """Runs one request again and again, each time killed one step later."""

    def each_step(self, request, check, prepare=lambda scene: None):
        """Calls check(scene, reply or None) after each kill, before the restart."""
        scene = Scene(prepare)
        steps = killer.steps_of(scene.broker.process.pid, lambda: self.ask(request, scene))
        scene.close()
        answered = 0
        for step in steps:
            with self.subTest(step):
                scene = Scene(prepare)
                try:
                    with killer.killed_before(scene.broker.process.pid, step):
                        reply = self.ask(request, scene)
                        # A step after the answer is reached all the same.
                        scene.broker.process.wait(timeout=10)
                    answered += reply is not None
                    check(scene, reply)
                finally:
                    scene.close()
        # The runs went through the whole request, not only through its beginning.
        self.assertGreater(answered, 0)
        self.assertLess(answered, len(steps))

    @staticmethod
    def ask(request, scene):
        try:
            reply = request(scene)
        except Closed:
            return None
        if reply.get("fd") is not None:
            os.close(reply["fd"])
        return reply

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
