# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMU programs on a disk that a FUSE file system serves."""

import os
import subprocess
import unittest

from silent import EVENTUALLY, SilentCase, build_dir


class QemuOnFuse(SilentCase):
    vm_uid = 65534

    def setUp(self):
        super().setUp()
        self.disk = self.fs.where / "disk.img"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.fs.backing / "disk.img", "8M"],
                       check=True)
        self.grant(str(self.disk))

    def qemu(self, *words, **options):
        launcher = [build_dir() / "bin/openhook-qemu", "--vm", self.broker.vm, "--run-dir",
                    self.broker.run_dir, "--", *words]
        return subprocess.run([str(word) for word in launcher], capture_output=True, text=True,
                              timeout=EVENTUALLY, check=False, **options)

    def test_writes_to_its_disk(self):
        done = self.qemu("qemu-io", "-c", "write -P 7 0 64k", "-c", "read -P 7 0 64k", self.disk)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertIn("read 65536/65536", done.stdout)
        self.assertEqual(self.holders(), [])

    def test_says_what_happened_when_the_disk_is_not_answered_for(self):
        self.fs.stop()
        done = self.qemu("qemu-io", "-c", "read 0 64k", self.disk)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(os.strerror(110), done.stderr + done.stdout)
        self.fs.go_on()
        self.assertEqual(self.qemu("qemu-io", "-c", "read 0 64k", self.disk).returncode, 0)

    def test_starts_a_machine(self):
        done = self.qemu("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu",
                         "qemu64,-cx16", "-nodefaults", "-display", "none", "-S", "-drive",
                         f"file={self.disk},format=qcow2,if=virtio", "-monitor", "stdio",
                         input="info block\nquit\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(str(self.disk), done.stdout)


if __name__ == "__main__":
    unittest.main()
