# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is special about openhook-qemu --mode=seccomp: a notifier beside the program.

The operations of the other files run in this mode too (ctest label e2e-seccomp).
"""

import os
import shutil
import signal
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lib import images, notifiers, settings
from lib.access import Brokered
from lib.case import EndToEndCase, VmCase
from lib.qemu import Options
from lib.qmp import QmpError


class StaticProgram(EndToEndCase):
    """A statically linked program, which the preload library does not reach."""

    def setUp(self) -> None:
        super().setUp()
        self.file = images.make_raw(self.image("disk"), size=4096)
        # The build tree may lie where the VM's user cannot look.
        built = settings.test_program("static_probe")
        self.program = shutil.copy(built, self.workspace.root / "static_probe")

    def probe(self, *command: str) -> str:
        argv = self.access.wrap([str(self.program), *command])
        return images.run_tool(*argv).stdout.strip()

    def test_opens_and_looks_at_what_was_granted(self) -> None:
        self.assertEqual(self.probe("open", str(self.file), "2"), "errno 13")
        self.access.grant_write(self.file)
        self.assertEqual(self.probe("open", str(self.file), "2"), "ok ''")
        self.assertEqual(self.probe("stat", str(self.file)), "ok size 4096 mode 100600")
        self.assertEqual(self.probe("statx", str(self.file)), "ok size 4096 mode 100600")
        self.assertEqual(self.probe("access", str(self.file), "6"), "ok")
        self.assertEqual(self.probe("realpath", str(self.file)), f"ok {self.file}")
        self.assertEqual(self.probe("unlink", str(self.file)), "errno 13")

    def test_creates_and_removes_its_own_file(self) -> None:
        new = self.image("new")
        self.access.grant_create(new)
        self.assertEqual(self.probe("create", str(new), "0027"), "ok ''")
        self.assertEqual(new.stat().st_mode & 0o777, 0o640)
        self.assertEqual(self.probe("unlink", str(new)), "ok")
        self.assertFalse(new.exists())

    def test_a_name_that_changes_under_the_notifier_gives_nothing_foreign(self) -> None:
        """Every byte may be of either name: each descriptor still belongs to a granted file."""
        granted = [images.make_raw(self.image(f"{letter * 8}"), size=0) for letter in "ab"]
        images.make_raw(self.image("c" * 8), size=0)
        for path in granted:
            self.access.grant_read(path)
        allowed = {str(path.stat().st_ino) for path in granted}
        first = str(granted[0])
        secret = "etc/shadow".rjust(len(first), "/")
        for other in (str(granted[1]), str(self.image("c" * 8)), secret):
            words = self.probe("flip", first, other, "3000").split()
            self.assertLessEqual(set(words[3:]), allowed, other)
            self.assertIn(str(granted[0].stat().st_ino), words[3:])
        self.assertGreater(int(words[1]), 0, "no mixture was ever asked for")


class Supervision(VmCase):
    """The keeper and the notifier of a real QEMU."""

    def setUp(self) -> None:
        super().setUp()
        assert isinstance(self.access, Brokered)
        self.broker = self.access.broker
        self.helpers = notifiers.Helpers(self.broker.open_socket)

    def snapshot(self, name: str) -> Path:
        overlay = self.image(name)
        self.access.grant_create(overlay)
        new = {"snapshot-file": str(overlay), "snapshot-node-name": name, "format": "qcow2"}
        node = {"node-name": self.vm.disk_node()}
        self.vm.qmp.execute("blockdev-snapshot-sync", {**node, **new})
        return overlay

    def test_a_notifier_that_is_killed_again_and_again_is_not_missed(self) -> None:
        self.start_vm()
        for number in range(5):
            killed = self.helpers.notifier()
            os.kill(killed, signal.SIGKILL)
            overlay = self.snapshot(f"overlay-{number}")
            self.write(5, 0x70 + number)
            self.assertNotEqual(self.helpers.notifier(), killed)
        self.finish(overlay)

    def test_the_broker_dies_and_returns_while_data_flows(self) -> None:
        self.start_vm()
        target = self.new_target("mirror.qcow2")
        slow: Options = {"device": "top", "target": str(target), "format": "qcow2", "sync": "full"}
        self.vm.start_job("drive-mirror", {**slow, "speed": 4 << 20})
        for _ in range(3):
            self.broker.kill()
            time.sleep(0.2)
            self.write(5, 0x71)
            self.broker.start()
        self.vm.finish_job()
        self.check_descriptors()
        overlay = self.snapshot("overlay")
        self.finish(overlay)

    def new_target(self, name: str) -> Path:
        path = self.image(name)
        self.access.grant_create(path)
        return path

    def test_nothing_is_left_behind_a_qemu_that_quits(self) -> None:
        self.start_vm()
        self.assertEqual(len(self.helpers.processes()), 2)
        self.finish(self.chain.top)
        images.wait_until(lambda: not self.helpers.processes(), "the end of keeper and notifier")

    def test_nothing_is_left_behind_a_qemu_that_is_killed(self) -> None:
        self.start_vm()
        self.vm.destroy()
        images.wait_until(lambda: not self.helpers.processes(), "the end of keeper and notifier")

    def test_without_keeper_and_notifier_it_opens_nothing_and_keeps_what_it_has(self) -> None:
        """Nobody but root and QEMU's own user can kill them; QEMU gains nothing by it."""
        self.start_vm()
        os.kill(self.helpers.keeper(), signal.SIGKILL)
        # The notifier alone goes on.
        top = self.snapshot("overlay-0")
        self.assertEqual(self.helpers.kill_notifier(), 1)
        images.wait_until(lambda: not self.helpers.processes(), "the end of keeper and notifier")
        self.access.grant_create(self.image("overlay-1"))
        with self.assertRaises(QmpError) as refused:
            self.snapshot("overlay-1")
        self.assertIn("Function not implemented", str(refused.exception))
        self.assertFalse(self.image("overlay-1").exists())
        self.finish(top)

    def test_the_helpers_hold_no_descriptor_of_the_vm(self) -> None:
        self.start_vm()
        for process in self.helpers.processes():
            targets = {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()}
            foreign = [one for one in targets if not one.startswith(notifiers.OWN_DESCRIPTORS)]
            self.assertEqual(foreign, [], f"process {process}")
        self.finish(self.chain.top)

    def test_the_helpers_have_the_vms_user_and_no_privilege(self) -> None:
        self.start_vm()
        for process in self.helpers.processes():
            status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
            self.assertRegex(status, rf"Uid:\s+{settings.VM_UID}\s+{settings.VM_UID}\s")
            self.assertRegex(status, r"CapEff:\s+0000000000000000\n")
            self.assertRegex(status, r"NoNewPrivs:\s+1\n")
        self.finish(self.chain.top)


class Daemons(EndToEndCase):
    """Programs that go into the background: their parent ends, and their streams are closed."""

    def setUp(self) -> None:
        super().setUp()
        assert isinstance(self.access, Brokered)
        self.helpers = notifiers.Helpers(self.access.broker.open_socket)
        self.chain = images.make_chain(self.workspace.images)
        self.access.grant_chain(self.chain.top)
        self.pid_file = self.workspace.private / "daemon.pid"

    def start_daemon(self, *argv: str) -> None:
        """Returns when the daemon has let go of its parent's streams."""
        done = images.run_tool(*self.access.wrap([*argv, str(self.pid_file)]))
        self.assertEqual(done.returncode, 0)
        self.pid = int(self.pid_file.read_text(encoding="ascii"))
        self.addCleanup(self.end_daemon)
        self.assertEqual(len(self.helpers.processes()), 2)

    def end_daemon(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        images.wait_until(lambda: not self.helpers.processes(), "the end of keeper and notifier")

    def test_qemu_system_in_the_background(self) -> None:
        monitor = self.workspace.private / "qmp.sock"
        argv = [settings.QEMU_SYSTEM, "-accel", "tcg", "-nodefaults", "-display", "none", "-S"]
        argv += ["-drive", f"file={self.chain.top},format=qcow2,if=virtio", "-daemonize"]
        argv += ["-qmp", f"unix:{monitor},server=on,wait=off", "-sandbox", settings.SANDBOX_FORKING]
        self.start_daemon(*argv, "-pidfile")

    def test_the_storage_daemon_in_the_background(self) -> None:
        node = f"driver=qcow2,node-name=top,file.driver=file,file.filename={self.chain.top}"
        argv = [settings.QEMU_STORAGE_DAEMON, "--blockdev", node, "--daemonize"]
        self.start_daemon(*argv, "--pidfile")

    def test_qemu_nbd_in_the_background(self) -> None:
        listening = self.workspace.private / "nbd.sock"
        argv = [settings.QEMU_NBD, "--fork", "--persistent", "-f", "qcow2", "-k", str(listening)]
        self.start_daemon(*argv, str(self.chain.top), "--pid-file")
        images.fill(f"nbd+unix:///?socket={listening}", {5: 0x66}, "raw")


if __name__ == "__main__":
    unittest.main()
