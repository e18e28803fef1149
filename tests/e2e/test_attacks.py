# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that was taken over, and a broker that dies: what must be refused, and what must live on.

A guest that broke out into QEMU can write to every image that QEMU may write, headers included, and
ask for any name. So image metadata is a request: the whitelist decides.
"""

import os
import sys
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images, settings
from lib.access import Brokered, Unprivileged
from lib.case import EndToEndCase, VmCase, implicit_chain
from lib.qemu import Qemu, StartError
from lib.qmp import QmpError


class BrokeredCase(VmCase):
    """These say nothing about a QEMU that opens its own files."""

    def setUp(self) -> None:
        if settings.NATIVE:
            self.skipTest("only with a broker")
        super().setUp()
        assert isinstance(self.access, Brokered)
        self.broker = self.access.broker

    def check_refused(self, command: str, arguments: dict[str, Any]) -> str:
        """The command fails with QEMU's "Permission denied"; gives the whole sentence."""
        with self.assertRaises(QmpError) as caught:
            self.vm.qmp.execute(command, arguments)
        self.assertIn("Permission denied", str(caught.exception))
        return str(caught.exception)

    def check_lives(self, byte: int) -> None:
        """The VM still writes, and the data arrives in the file."""
        self.write(5, byte)
        images.verify(self.chain.top, self.chain.contents, live=True)
        self.check_descriptors()


class WithoutTheBroker(VmCase):
    """The control experiment: the rest of this directory would prove nothing without it."""

    def test_the_very_same_start_fails(self) -> None:
        vm = Qemu(Unprivileged(), self.workspace.logs / "qemu-alone.log")
        self.addCleanup(vm.destroy)
        with self.assertRaises(StartError) as caught:
            vm.start_disk(self.nodes(self.chain))
        self.assertIn(f"Could not open '{self.chain.base}'", str(caught.exception))
        self.assertIn("Permission denied", str(caught.exception))


class RewrittenHeader(BrokeredCase):
    """The VM has a second disk of its own, and its header names files that are not the VM's."""

    def setUp(self) -> None:
        super().setUp()
        self.data = images.create(self.image("data.qcow2"))
        self.victim = self.make_victim()
        self.start_vm()
        self.access.grant_write(self.data, lease="device:vdb")

    def make_victim(self) -> Path:
        """The disk of another VM."""
        directory = self.workspace.root / "other-vm"
        directory.mkdir(mode=0o700)
        return images.create(directory / "victim.qcow2")

    def make_link(self) -> Path:
        """A symlink in the one directory where the VM's user may make some."""
        link = self.workspace.private / "link"
        link.symlink_to(self.victim)
        return link

    def test_every_way_to_name_a_foreign_file_is_refused(self) -> None:
        victim, link = self.victim, self.make_link()
        shadow_node = '{"driver":"file","filename":"/etc/shadow"}'
        dotted = '{"file.driver":"file","file.filename":"/etc/shadow"}'
        spellings = [
            ("a system secret", "/etc/shadow", "raw"),
            ("with the protocol", "file:/etc/shadow", "raw"),
            ("from the image's directory", "../../../etc/shadow", "raw"),
            ("through /proc", "/proc/self/root/etc/shadow", "raw"),
            ("through another process", f"/proc/{os.getpid()}/root/etc/shadow", "raw"),
            ("as JSON", f"json:{dotted}", "raw"),
            ("as nested JSON", f'json:{{"driver":"raw","file":{shadow_node}}}', "raw"),
            ("behind a filter", f'json:{{"driver":"copy-on-read","file":{shadow_node}}}', "raw"),
            ("another VM's disk", str(victim), "qcow2"),
            ("beside the image", f"../other-vm/{victim.name}", "qcow2"),
            ("doubled slashes", f"/{victim}", "qcow2"),
            ("through a symlink of its own", str(link), "qcow2"),
            ("the broker's database", str(self.workspace.state / f"{self.broker.vm}.db"), "raw"),
        ]
        for why, name, format in spellings:
            with self.subTest(why):
                images.rewrite_backing(self.data, name, format)
                self.check_refused("blockdev-add", implicit_chain(self.data, "data"))
                self.check_lives(0x60)

    def test_a_snapshot_over_a_foreign_file_is_refused(self) -> None:
        arguments = {"node-name": "top", "snapshot-file": str(self.victim), "format": "qcow2"}
        arguments["snapshot-node-name"] = "new"
        self.check_refused("blockdev-snapshot-sync", arguments)
        self.check_lives(0x61)
        images.verify(self.victim, {})

    def test_a_foreign_file_as_a_medium_is_refused(self) -> None:
        options = {"driver": "raw", "node-name": "stolen"}
        file = {"driver": "file", "filename": "/etc/shadow"}
        self.check_refused("blockdev-add", {**options, "read-only": True, "file": file})
        self.check_lives(0x62)

    def test_dumps_do_not_overwrite_foreign_files(self) -> None:
        before = self.victim.read_bytes()
        arguments = {"val": 0, "size": 4096, "filename": str(self.victim)}
        self.check_refused_to_write("pmemsave", arguments)
        self.check_refused_to_write("screendump", {"filename": str(self.victim)})
        self.assertEqual(self.victim.read_bytes(), before)
        self.check_lives(0x63)

    def check_refused_to_write(self, command: str, arguments: dict[str, Any]) -> None:
        with self.assertRaises(QmpError):
            self.vm.qmp.execute(command, arguments)

    def test_writing_to_a_backing_file_is_refused(self) -> None:
        layers = {"top-node": "middle", "base-node": "base"}
        self.check_refused("block-commit", {"job-id": "job0", "device": "top", **layers})
        self.check_lives(0x64)

    def test_a_new_start_on_a_rewritten_disk_is_refused(self) -> None:
        self.vm.quit()
        images.rewrite_backing(self.chain.top, "/etc/shadow")
        again = self.new_vm()
        self.addCleanup(again.destroy)
        with self.assertRaises(StartError) as caught:
            again.start_disk([implicit_chain(self.chain.top, "top")])
        self.assertIn("'/etc/shadow': Permission denied", str(caught.exception))


class ReplacedFile(BrokeredCase):
    """A grant is for a file, not for whatever has its name later."""

    def test_another_file_under_a_granted_name_is_refused(self) -> None:
        medium = images.make_raw(self.image("granted.iso"))
        self.access.grant_read(medium, lease="device:cd0")
        self.start_vm("-device", "ide-cd,id=cd0")
        medium.unlink()
        medium.symlink_to("/etc/shadow")
        change = {"id": "cd0", "filename": str(medium), "format": "raw", "force": True}
        self.check_refused("blockdev-change-medium", change)
        self.check_lives(0x65)


class DyingBroker(BrokeredCase):
    """The broker is not part of the VM: it may die and come back."""

    def test_operations_continue_after_kill_9_and_restart(self) -> None:
        self.start_vm()
        for byte, name in enumerate(["one", "two"], start=0x70):
            self.broker.kill()
            self.write(5, byte)  # files that are open need no broker
            self.broker.start()
            overlay = self.image(name)
            self.access.grant_create(overlay)
            new = {"snapshot-file": str(overlay), "snapshot-node-name": name, "format": "qcow2"}
            old = {"node-name": self.vm.disk_node()}
            self.vm.qmp.execute("blockdev-snapshot-sync", {**old, **new})
        self.finish(overlay)

    def test_an_operation_during_the_outage_waits_for_the_restart(self) -> None:
        self.start_vm("-device", "ide-cd,id=cd0")
        medium = images.make_raw(self.image("late.iso"))
        self.access.grant_read(medium, lease="device:cd0")
        self.broker.kill()
        change = {"id": "cd0", "filename": str(medium), "format": "raw", "force": True}
        self.vm.qmp.send("blockdev-change-medium", change)
        self.broker.start()
        self.vm.qmp.answer("blockdev-change-medium")
        self.finish(self.chain.top)

    def test_an_outage_that_lasts_fails_the_operation_and_not_the_vm(self) -> None:
        os.environ["OPENHOOK_WAIT_MS"] = "300"
        self.addCleanup(os.environ.pop, "OPENHOOK_WAIT_MS")
        self.start_vm("-device", "ide-cd,id=cd0")
        medium = images.make_raw(self.image("never.iso"))
        self.access.grant_read(medium, lease="device:cd0")
        self.broker.kill()
        change = {"id": "cd0", "filename": str(medium), "format": "raw", "force": True}
        with self.assertRaises(QmpError):
            self.vm.qmp.execute("blockdev-change-medium", change)
        self.write(5, 0x72)
        self.broker.start()
        self.vm.qmp.execute("blockdev-change-medium", change)
        self.finish(self.chain.top)

    def test_the_last_words_of_a_qemu_without_its_broker_are_orderly(self) -> None:
        self.start_vm()
        self.broker.kill()
        self.vm.quit()
        images.verify(self.chain.top, self.chain.contents)


class MissingBroker(EndToEndCase):
    """Nobody started the broker of this VM."""

    def test_the_launcher_says_what_is_missing(self) -> None:
        if settings.NATIVE:
            self.skipTest("only with a broker")
        assert isinstance(self.access, Brokered)
        self.access.stop()
        self.access.broker.open_socket.unlink(missing_ok=True)
        done = images.run_tool(*self.access.wrap([settings.QEMU_IMG, "--version"]), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.access.broker.open_socket), done.stderr)


if __name__ == "__main__":
    unittest.main()
