# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that rewrites the headers of its images, while libvirt works on them and before a start.
What it writes there is written by the test: the files are the same, and QEMU does not notice.
"""

import subprocess
import unittest
from pathlib import Path

import images
from case import LibvirtCase

HEADER = 65536


class RewrittenHeaders(LibvirtCase):
    def setUp(self) -> None:
        super().setUp()
        self.vm = self.started()
        self.check(self.vm)
        self.elsewhere = self.host.root / self.vm.uuid
        self.elsewhere.mkdir(mode=0o711)
        self.secret = images.create(self.elsewhere / "secret.raw", kind="raw")

    def rewrite(self, victim: Path, *options: str) -> None:
        """The header of `victim` is from now on that of an image that is made with `options`."""
        crafted = self.elsewhere / "crafted.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(crafted),
                        images.SIZE], check=True)
        header = crafted.read_bytes()[:HEADER]
        with open(victim, "r+b") as file:
            file.write(header)

    def given(self) -> list[str]:
        return [grant["path"] for grant in self.vm.ctl("list")["grants"] if not grant["ended"]]

    def snapshot(self, name: str) -> Path:
        self.vm.virsh("snapshot-create-as", "--no-metadata", "--disk-only", name)
        self.check(self.vm)
        return self.vm.top.with_suffix(f".{name}")

    def test_an_inner_commit_brings_no_data_file(self) -> None:
        active = self.snapshot("s1")
        self.rewrite(active, "-o", f"data_file={self.secret}")
        self.vm.virsh("blockcommit", "vda", "--top", str(self.vm.chain[1]), "--base",
                      str(self.vm.chain[2]), "--wait")
        self.assertNotIn(str(self.secret), self.given())
        self.assertEqual(self.vm.state(), "running")

    def test_an_attached_image_brings_no_data_file_that_lies_beside_it(self) -> None:
        template = images.create(self.vm.directory / "template.raw", kind="raw")
        attached = images.create(self.vm.directory / "attached.qcow2")
        self.rewrite(attached, "-o", f"data_file={template}")
        self.assertIn("openhook: ", self.vm.attach_refused(attached, "sdb"))
        self.assertNotIn(str(template), self.given())

    def test_a_start_follows_no_header_that_the_last_run_rewrote(self) -> None:
        for options in (["-o", f"data_file={self.secret}"],
                        ["-u", "-F", "raw", "-b", str(self.secret)]):
            with self.subTest(options[-1]):
                self.vm.virsh("destroy")
                header = self.vm.top.read_bytes()[:HEADER]
                self.rewrite(self.vm.top, *options)
                self.assertIn("no job explains it", self.vm.refused("start"))
                with open(self.vm.top, "r+b") as file:
                    file.write(header)
                self.vm.virsh("start")
                self.check(self.vm)

    def test_a_chain_that_was_changed_on_purpose_is_accepted_before_a_start(self) -> None:
        self.vm.virsh("destroy")
        base = images.create(self.elsewhere / "base.qcow2")
        subprocess.run(["qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b",
                        str(base), str(self.vm.top)], check=True)
        self.vm.refused("start")
        self.host.run("sh", "-c", f"{self.host.programs}/openhook-hook --run {self.vm.uuid} "
                      "> /dev/null 2>&1 &")
        self.wait_for_broker()
        self.vm.ctl("chain", "accept", "vda")
        self.vm.virsh("start")
        self.assertIn(str(base), self.given())

    def wait_for_broker(self) -> None:
        socket = self.host.inside(f"/run/openhook/{self.vm.uuid}/control.sock")
        while not socket.exists():
            pass


if __name__ == "__main__":
    unittest.main()
