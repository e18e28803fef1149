# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other programs of QEMU through openhook-qemu: storage daemon, qemu-img, qemu-io, qemu-nbd."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import chain_operations, images, settings
from lib.case import EndToEndCase
from lib.qemu import StorageDaemon


class StorageDaemonOperations(chain_operations.ChainOperations[StorageDaemon]):
    """The operations of a machine's disk, on an NBD export instead."""

    def new_vm(self) -> StorageDaemon:
        logs, private = self.workspace.logs, self.workspace.private
        return StorageDaemon(self.access, logs / "storage-daemon.log", private / "nbd.sock")


class StorageDaemonOperationsByHand(StorageDaemonOperations):
    """The same with implicit backing nodes and auto-read-only off."""

    auto_read_only = False


class ToolCase(EndToEndCase):
    """Runs one tool at a time, to its end, through the access under test."""

    def setUp(self) -> None:
        super().setUp()
        self.chain = images.make_chain(self.workspace.images)

    def tool(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return images.run_tool(*self.access.wrap(list(argv)), check=False)

    def succeed(self, *argv: str) -> str:
        done = self.tool(*argv)
        self.assertEqual(done.returncode, 0, f"{argv}: {done.stdout}{done.stderr}")
        return done.stdout


class QemuImg(ToolCase):
    """Every subcommand that opens images."""

    def img(self, *arguments: str) -> str:
        return self.succeed(settings.QEMU_IMG, *arguments)

    def info(self, *arguments: str) -> Any:
        return json.loads(self.img("info", "--output=json", *arguments))

    def test_create(self) -> None:
        new = self.image("new.qcow2")
        self.access.grant_create(new)
        self.img("create", "-q", "-f", "qcow2", str(new), "16M")
        images.verify(new, {})

    def test_create_on_top_of_a_chain(self) -> None:
        new = self.image("new.qcow2")
        self.access.grant_chain(self.chain.top)
        self.access.grant_create(new)
        backing = ["-b", str(self.chain.top), "-F", "qcow2"]
        self.img("create", "-q", "-f", "qcow2", *backing, str(new))
        images.verify(new, self.chain.contents)

    def test_info_of_a_whole_chain(self) -> None:
        self.access.grant_chain(self.chain.top)
        layers = self.info("--backing-chain", str(self.chain.top))
        opened = [os.path.normpath(layer["filename"]) for layer in layers]
        self.assertEqual(opened, [str(path) for path in reversed(self.chain.files)])

    def test_check(self) -> None:
        self.access.grant_chain(self.chain.top)
        self.assertIn("No errors", self.img("check", str(self.chain.top)))

    def test_map_and_compare(self) -> None:
        self.access.grant_chain(self.chain.top)
        mapped = json.loads(self.img("map", "--output=json", str(self.chain.top)))
        self.assertEqual({extent["depth"] for extent in mapped if extent["data"]}, {0, 1, 2})
        self.img("compare", str(self.chain.top), str(self.chain.top))

    def test_convert(self) -> None:
        flat = self.image("flat.qcow2")
        self.access.grant_chain(self.chain.top)
        self.access.grant_create(flat)
        self.img("convert", "-O", "qcow2", str(self.chain.top), str(flat))
        images.verify(flat, self.chain.contents)

    def test_convert_without_the_page_cache(self) -> None:
        flat = self.image("flat.raw")
        self.access.grant_chain(self.chain.top)
        self.access.grant_create(flat)
        cache = ["-t", "none", "-T", "none"]
        self.img("convert", *cache, "-O", "raw", str(self.chain.top), str(flat))
        images.verify(flat, self.chain.contents, "raw")

    def test_names_relative_to_the_working_directory(self) -> None:
        self.access.grant_chain(self.chain.top)
        argv = [settings.QEMU_IMG, "check", f"../images/./{self.chain.top.name}"]
        done = images.run_tool(*self.access.wrap(argv), cwd=self.workspace.images)
        self.assertIn("No errors", done.stdout)

    def test_commit(self) -> None:
        self.access.grant_chain(self.chain.top)
        self.access.grant_write(self.chain.middle, lease="job:commit")
        self.img("commit", "-q", str(self.chain.top))
        images.verify(self.chain.middle, self.chain.contents)

    def test_rebase(self) -> None:
        self.access.grant_chain(self.chain.top)
        self.img("rebase", "-b", str(self.chain.base), "-F", "qcow2", str(self.chain.top))
        self.assertEqual(images.backing_of(self.chain.top), str(self.chain.base))
        images.verify(self.chain.top, self.chain.contents)

    def test_resize(self) -> None:
        self.access.grant_chain(self.chain.top)
        self.img("resize", "-q", str(self.chain.top), "32M")
        self.assertEqual(self.info(str(self.chain.top))["virtual-size"], 32 << 20)
        images.verify(self.chain.top, self.chain.contents)

    def test_internal_snapshots(self) -> None:
        top = str(self.chain.top)
        self.access.grant_chain(self.chain.top)
        self.img("snapshot", "-c", "s1", top)
        images.fill(self.chain.top, {3: 0x99})
        self.img("snapshot", "-a", "s1", top)
        self.assertIn("s1", self.img("snapshot", "-l", top))
        self.img("snapshot", "-d", "s1", top)
        images.verify(self.chain.top, self.chain.contents)


class Refusals(ToolCase):
    """What was not granted stays closed, and the tool says why in its own words."""

    def check_refused(self, *argv: str) -> None:
        if settings.NATIVE:
            self.skipTest("root is refused nothing")
        done = self.tool(*argv)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Permission denied", done.stdout + done.stderr)

    def test_a_file_that_nobody_granted(self) -> None:
        self.check_refused(settings.QEMU_IMG, "info", str(self.chain.top))

    def test_writing_to_what_was_granted_for_reading(self) -> None:
        self.access.grant_read(self.chain.base)
        self.check_refused(settings.QEMU_IO, "-c", "write 0 4k", str(self.chain.base))

    def test_writing_to_a_backing_file(self) -> None:
        self.access.grant_chain(self.chain.top)
        self.check_refused(settings.QEMU_IMG, "commit", str(self.chain.top))

    def test_creating_a_file_that_nobody_granted(self) -> None:
        new = self.image("new.qcow2")
        self.check_refused(settings.QEMU_IMG, "create", "-f", "qcow2", str(new), "1M")
        self.assertFalse(new.exists())

    def test_overwriting_a_backing_file_with_a_new_image(self) -> None:
        self.access.grant_chain(self.chain.top)
        self.check_refused(settings.QEMU_IMG, "create", "-f", "raw", str(self.chain.base), "1M")
        images.verify(self.chain.top, self.chain.contents)

    def test_a_lease_that_ended(self) -> None:
        self.access.grant_chain(self.chain.top, lease="device:vda")
        self.succeed(settings.QEMU_IMG, "info", str(self.chain.top))
        self.access.revoke("device:vda")
        self.check_refused(settings.QEMU_IMG, "info", str(self.chain.top))


class QemuIoAndNbd(ToolCase):
    """Tools that read and write data."""

    def test_qemu_io_writes_and_reads(self) -> None:
        self.access.grant_chain(self.chain.top)
        commands = ["-c", "write -P 0x66 5M 1M", "-c", "read -P 0x11 0 1M"]
        output = self.succeed(settings.QEMU_IO, "-f", "qcow2", *commands, str(self.chain.top))
        self.assertNotIn("verification failed", output)
        images.verify(self.chain.top, {**self.chain.contents, 5: 0x66})

    def test_qemu_nbd_serves_a_chain(self) -> None:
        self.access.grant_chain(self.chain.top)
        listening = self.workspace.private / "nbd.sock"
        argv = [settings.QEMU_NBD, "-f", "qcow2", "-k", str(listening), str(self.chain.top)]
        with subprocess.Popen(self.access.wrap(argv)) as server:
            self.addCleanup(server.kill)
            images.wait_until(listening.exists, "qemu-nbd's socket")
            images.fill(f"nbd+unix:///?socket={listening}", {5: 0x66}, "raw")
            # It ends with its only client.
            self.assertEqual(server.wait(settings.DEADLINE), 0)
        images.verify(self.chain.top, {**self.chain.contents, 5: 0x66})


if __name__ == "__main__":
    unittest.main()
