# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk that really fails: an ext4 on a loop device whose own storage is full, so that the kernel
takes every write and fails the fsync; and loses what it could not write, as a power cut would."""

import os
import pathlib
import subprocess
import tempfile
import unittest

from scene import Scene, ask

from client import FAILED, GRANT_READ, OK  # found by way of scene

STORAGE_BYTES = 4 << 20
DISK_BYTES = 64 << 20
PAGE_BYTES = 4096
CLUSTER_BYTES = 1 << 20


class Disk:
    """An ext4 file system on storage that can be filled up."""

    def __init__(self, where):
        self.storage = pathlib.Path(tempfile.mkdtemp(prefix="openhook-disk-"))
        self.where = where
        self._run("mount", "-t", "tmpfs", "-o", f"size={STORAGE_BYTES}", "none", self.storage)
        image = self.storage / "disk"
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES)
        # Without a journal the file system stays writable whatever happens. In clusters a file is in
        # one piece, so that what fails is its data: a lost block of the extent tree is another story.
        self._run("mkfs.ext4", "-q", "-b", str(PAGE_BYTES), "-O", "^has_journal,bigalloc",
                  "-C", str(CLUSTER_BYTES), image)
        self.device = self._run("losetup", "--show", "-f", image).strip()
        # The loop driver calls a write that its storage took half of a success (lo_complete_rq() in
        # drivers/block/loop.c), so a request may not be larger than what is taken whole or not.
        queue = pathlib.Path("/sys/block") / pathlib.Path(self.device).name / "queue"
        (queue / "max_sectors_kb").write_text(str(PAGE_BYTES // 1024), encoding="ascii")
        self.mount()

    @staticmethod
    def _run(*argv):
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout

    def mount(self):
        self._run("mount", self.device, self.where)

    def lose_what_was_not_written(self):
        """As after a power cut: only what the disk has is left."""
        subprocess.run(["umount", self.where], check=True)
        self.mount()

    def fill(self):
        free = os.statvfs(self.storage)
        (self.storage / "filler").write_bytes(bytes(free.f_bsize * free.f_bavail))

    def make_room(self):
        (self.storage / "filler").unlink()

    def close(self):
        subprocess.run(["umount", self.where], check=False)
        subprocess.run(["losetup", "-d", self.device], check=True)
        subprocess.run(["umount", self.storage], check=True)
        self.storage.rmdir()


class FailingDisk(unittest.TestCase):
    def setUp(self):
        self.scene = Scene()
        broker = self.scene.broker
        self.paths = [broker.write(f"many-{number}") for number in range(400)]
        broker.process.terminate()
        broker.process.wait()
        self.disk = Disk(broker.state_dir)
        self.addCleanup(self.close)
        self.scene.restart()
        self.granted = set()
        self.grant_until_refused(20)
        self.assertEqual(len(self.granted), 20)

    def close(self):
        self.scene.broker.kill()
        self.disk.close()
        self.scene.close()

    def grant_until_refused(self, most):
        """Single grants; the reason why the last one was refused."""
        for path in self.paths[len(self.granted):][:most]:
            reply = ask(lambda scene, path=path: scene.control.grant(path, GRANT_READ), self.scene)
            if reply["outcome"] != OK:
                self.assertEqual(reply["outcome"], FAILED)
                return reply["reason"]
            self.granted.add(os.fsencode(path))
        return None

    def listed(self):
        return {grant["path"] for grant in self.scene.control.call(list={})["list"]["grants"]}

    def break_disk(self):
        self.disk.fill()
        refused = self.grant_until_refused(len(self.paths))
        self.assertIsNotNone(refused, "the disk never failed")
        self.assertRegex(refused, "Input/output error|No space left on device")
        self.assertEqual(self.listed(), self.granted)
        return refused

    def power_cut(self):
        self.scene.broker.kill()
        self.disk.lose_what_was_not_written()
        self.scene.restart()

    def test_loses_nothing_that_was_acknowledged(self):
        refused = self.break_disk()
        self.scene.broker.kill()
        self.disk.make_room()
        self.disk.lose_what_was_not_written()
        self.scene.restart()
        asked_last = os.fsencode(self.paths[len(self.granted)])
        allowed = {asked_last} if "may be after a restart" in refused else set()
        self.assertLessEqual(self.listed() - self.granted, allowed)
        self.assertLessEqual(self.granted, self.listed())

    def test_takes_changes_again_when_it_works_and_keeps_them(self):
        self.break_disk()
        self.disk.make_room()
        self.assertIsNone(self.grant_until_refused(20))
        self.assertEqual(self.listed(), self.granted)
        self.power_cut()
        self.assertEqual(self.listed(), self.granted)

    def test_is_written_back_by_the_next_broker_before_it_builds_on_it(self):
        """The kernel has the failed page in memory and calls it clean; the disk has it not."""
        self.break_disk()
        self.scene.broker.kill()
        self.disk.make_room()
        self.scene.restart()
        found = self.listed()
        self.assertLessEqual(self.granted, found)
        self.granted = found
        self.assertIsNone(self.grant_until_refused(5))
        self.power_cut()
        self.assertEqual(self.listed(), self.granted)


if __name__ == "__main__":
    unittest.main()
