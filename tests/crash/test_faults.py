# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk that fails instead of a broker that dies: each system call of a change that touches the
disk fails in turn. A change is refused with a remedy and did not happen, or it is acknowledged and
lasts; memory and disk say the same, and the broker goes on."""

import contextlib
import sqlite3
import unittest

import killer
from scene import TOKEN, Scene, ask

from client import FAILED, GRANT_READ, OK  # found by way of scene

# What a kernel may answer to each call that touches the disk.
ERRORS = {
    "pwrite64": ("EIO", "ENOSPC", "EDQUOT", "EINTR"), "write": ("EIO", "ENOSPC", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"), "fdatasync": ("EIO", "ENOSPC", "EDQUOT", "EINTR"),
    "ftruncate": ("EIO",), "openat": ("EIO", "ENOSPC", "EMFILE", "EINTR"), "unlink": ("EIO",),
    "fcntl": ("EIO", "ENOLCK", "EINTR"), "pread64": ("EIO",), "lseek": ("EIO",), "link": ("EIO",),
    "mkdir": ("EIO",), "fchmod": ("EIO",),
}
ONE_ERROR = {call: errors[:1] for call, errors in ERRORS.items()}
LOG_PAGES = 1000  # SQLite writes its log back into the database when it has so many
PAGE_BYTES = 4096 + 24
WRITES_SKIPPED = 7  # where a log is written back, all pages are alike


def nothing(_):
    """No preparation."""


def running_job(scene):
    scene.chain()
    scene.begin_job()


def nearly_full_log(scene):
    """The next change makes SQLite write its log back."""
    scene.grant()
    log = scene.broker.state_dir / f"{scene.broker.vm}.db-wal"
    paths = [scene.broker.write(f"many-{number}") for number in range(200)]
    specs = [{"path": path, "access": GRANT_READ} for path in paths]
    while log.stat().st_size < (LOG_PAGES - 60) * PAGE_BYTES:
        assert scene.control.call(grant={"lease": "many", "grants": specs})["outcome"] == OK
    while log.stat().st_size < (LOG_PAGES - 3) * PAGE_BYTES:
        assert scene.control.grant(paths[0], lease="one")["outcome"] == OK


def written_back_log(scene):
    """The next change begins the log anew."""
    nearly_full_log(scene)
    assert scene.control.grant(scene.paths[0], lease="one")["outcome"] == OK


class FaultTest(unittest.TestCase):
    def scene(self, prepare=nothing):
        scene = Scene(prepare)
        self.addCleanup(scene.close)
        return scene

    @staticmethod
    def measure(request, prepare):
        """The steps of a request, and the state before and after it."""
        scene = Scene(prepare)
        try:
            old = scene.state()
            steps = killer.steps_of(scene.broker.process.pid, lambda: ask(request, scene))
            # A look at what the VM has open that fails is another matter: it only keeps more.
            steps = [step for step in steps if step.name in ERRORS and '"/proc' not in step.text]
            return steps, old, scene.state()
        finally:
            scene.close()


class EachCall(FaultTest):
    """One call fails, once."""

    def check_each(self, request, prepare=nothing, errors=ERRORS, expected=("fdatasync",)):
        steps, old, new = self.measure(request, prepare)
        self.assertNotEqual(old, new)
        self.assertLessEqual(set(expected), {step.name for step in steps})
        if errors is ONE_ERROR:
            writes = [step for step in steps if step.name == "pwrite64"]
            steps = [step for step in steps if step not in writes] + writes[::WRITES_SKIPPED]
        outcomes = set()
        for step in steps:
            for error in errors[step.name]:
                with self.subTest(step, error=error):
                    scene = Scene(prepare)
                    try:
                        outcomes.add(self.check_one(scene, request, step, error, old, new))
                    finally:
                        scene.close()
        self.assertEqual(outcomes, {OK, FAILED})

    def check_one(self, scene, request, step, error, old, new):
        with killer.failing(scene.broker.process.pid, step, error):
            reply = ask(request, scene)
        self.assertIsNotNone(reply, "the broker ended")
        self.check_told(reply, scene.state(), old, new)
        # What was told is true even if nothing else is ever written.
        scene.broker.kill()
        scene.restart()
        self.check_told(reply, scene.state(), old, new)
        if reply["outcome"] == FAILED:
            self.assertEqual(ask(request, scene)["outcome"], OK)
            self.assertEqual(scene.state(), new)
        return reply["outcome"]

    def check_told(self, reply, now, old, new):
        self.assertIn(reply["outcome"], (OK, FAILED))
        self.assertEqual(now, new if reply["outcome"] == OK else old, reply["reason"])
        if "cannot save" in reply["reason"]:
            self.assertRegex(reply["reason"], "(make room|look after the disk).*; nothing was changed$")

    def test_of_a_grant(self):
        self.check_each(Scene.grant, expected=("openat", "fcntl", "pwrite64", "fdatasync", "write"))

    def test_of_a_revoke(self):
        self.check_each(Scene.revoke, Scene.grant, expected=("unlink", "fcntl", "fdatasync"))

    def test_of_the_begin_of_a_job(self):
        self.check_each(Scene.begin_job, Scene.chain)

    def test_of_the_end_of_a_job(self):
        self.check_each(Scene.end_job, running_job)

    def test_while_the_log_is_written_back(self):
        self.check_each(Scene.revoke, nearly_full_log, ONE_ERROR, expected=("ftruncate",))

    def test_while_the_log_begins_anew(self):
        self.check_each(Scene.revoke, written_back_log, ONE_ERROR)

    def test_of_a_creation(self):
        steps, _, _ = self.measure(Scene.create, nothing)
        outcomes = set()
        for step in steps:
            for error in ERRORS[step.name]:
                with self.subTest(step, error=error):
                    scene = Scene()
                    try:
                        outcomes.add(self.check_creation(scene, step, error))
                    finally:
                        scene.close()
        self.assertEqual(outcomes, {OK, FAILED})

    def check_creation(self, scene, step, error):
        with killer.failing(scene.broker.process.pid, step, error):
            reply = ask(Scene.create, scene)
        self.assertIsNotNone(reply, "the broker ended")
        told = reply["outcome"] == OK
        self.assertEqual(scene.count_created(), int(told), reply["reason"])
        scene.broker.kill()
        scene.restart()
        # One that was not answered may have left an empty file, which is the VM's then.
        self.assertEqual(scene.count_created(), int(scene.created.exists()))
        self.assertGreaterEqual(scene.count_created(), int(told))
        self.assertEqual(ask(Scene.create, scene)["outcome"], OK)
        self.assertEqual(ask(lambda scene: scene.create(token=TOKEN + 1), scene)["outcome"], FAILED)
        return reply["outcome"]


class LastingFault(FaultTest):
    """Nothing becomes durable from some moment on: neither a change nor its taking back."""

    def setUp(self):
        steps, self.old, self.new = self.measure(Scene.grant, nothing)
        self.sync = next(step for step in steps if step.name == "fdatasync")
        self.broken = self.scene()

    def refused(self, request=Scene.grant):
        reply = ask(request, self.broken)
        self.assertEqual(reply["outcome"], FAILED)
        self.assertEqual(self.broken.state(), self.old)
        return reply["reason"]

    def failing(self):
        return killer.failing(self.broken.broker.process.pid, self.sync, "EIO", onwards=True)

    def test_is_in_doubt_and_takes_no_other_change_until_the_disk_works(self):
        with self.failing():
            self.assertIn("may be after a restart", self.refused())
            self.assertIn("an earlier change could not be made durable", self.refused())
            self.assertIn("an earlier change", self.refused(
                lambda scene: scene.control.call(revoke={"lease": "other"})))
        self.assertEqual(ask(Scene.grant, self.broken)["outcome"], OK)
        self.broken.broker.kill()
        self.broken.restart()
        self.assertEqual(self.broken.state(), self.new)

    def test_is_not_in_force_after_the_doubt_unless_it_is_asked_for_again(self):
        with self.failing():
            self.refused()
        revoked = self.broken.control.call(revoke={"lease": "new"})
        self.assertEqual(revoked["outcome"], OK)
        without = self.broken.state()
        self.broken.broker.kill()
        self.broken.restart()
        self.assertEqual(self.broken.state(), without)
        self.assertEqual([grant for grant in self.old["grants"] if grant[0] != "new"],
                         without["grants"])

    def test_that_ends_with_the_broker_leaves_the_old_state_or_the_new(self):
        with self.failing():
            self.refused()
            self.broken.broker.kill()
        self.broken.restart()
        found = self.broken.state()
        self.assertIn(found, (self.old, self.new))
        self.broken.broker.kill()
        self.broken.restart()
        self.assertEqual(self.broken.state(), found)

    def test_of_a_start_serves_what_was_granted_and_refuses_changes(self):
        self.broken.broker.kill()
        self.broken.restart(killer.under_failing("fdatasync", "EIO"))
        self.assertEqual(self.broken.state(), self.old)
        self.assertIn("an earlier change could not be made durable", self.refused())
        killer.stop_failing(self.broken.broker.process.pid)
        self.assertEqual(ask(Scene.grant, self.broken)["outcome"], OK)
        self.assertEqual(self.broken.state(), self.new)

    def check_start(self, scene, old):
        """Without a disk that takes anything the VM has what it had; with one, all is as ever."""
        scene.restart(killer.under_failing("fdatasync", "EIO"))
        self.assertEqual(scene.state(), old)
        self.assertEqual(ask(Scene.grant, scene)["outcome"], FAILED)
        killer.stop_failing(scene.broker.process.pid)
        self.assertEqual(ask(Scene.grant, scene)["outcome"], OK)

    def test_of_a_start_after_a_reboot_serves_what_was_granted(self):
        self.broken.broker.process.terminate()
        self.broken.broker.process.wait()
        path = self.broken.broker.state_dir / f"{self.broken.broker.vm}.db"
        with contextlib.closing(sqlite3.connect(path)) as state, state:
            changed = state.execute("UPDATE meta SET value = 'another' WHERE key = 'boot_id'")
            self.assertEqual(changed.rowcount, 1)
        self.check_start(self.broken, self.old)

    def test_of_a_start_with_a_creation_to_finish_leaves_it_for_later(self):
        steps, _, _ = self.measure(Scene.create, nothing)
        announced = [step.name for step in steps].index("fdatasync")
        recorded = next(step for step in steps[announced:] if step.name == "pwrite64")
        with killer.killed_before(self.broken.broker.process.pid, recorded):
            self.assertIsNone(ask(Scene.create, self.broken))
        self.assertTrue(self.broken.created.exists())
        self.check_start(self.broken, self.old)
        self.assertEqual(ask(Scene.create, self.broken)["outcome"], OK)
        self.assertEqual(self.broken.count_created(), 1)


if __name__ == "__main__":
    unittest.main()
