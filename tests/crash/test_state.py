# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whitelist that cannot be trusted, or not be written: the broker does not start, says what to
do, and never begins with an empty one instead."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "protocol"))

import killer
from broker import VM_UID, Broker, build_dir
from client import GRANT_READ, OK, ControlConnection, OpenConnection

GRANTS = 200  # enough for a database of several pages
START_SECONDS = 5


class StateTest(unittest.TestCase):
    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.stop)
        self.database = self.broker.state_dir / f"{self.broker.vm}.db"
        with ControlConnection(self.broker.control_socket).greeted() as control:
            specs = [{"path": self.broker.write(f"{number}.img"), "access": GRANT_READ}
                     for number in range(GRANTS)]
            self.assertEqual(control.call(grant={"lease": "l", "grants": specs})["outcome"], OK)

    def stop(self):
        """An orderly end, so that everything is in the database file itself."""
        self.broker.process.terminate()
        self.broker.process.wait()

    def command(self):
        return [str(build_dir() / "bin/openhookd"), "--vm", self.broker.vm, "--state-dir",
                str(self.broker.state_dir), "--run-dir", str(self.broker.run_dir), "--vm-user",
                str(VM_UID), "--peer-label", "unchecked"]

    def start_and_fail(self):
        """What a broker that does not start says; one that does start is ended by timeout(1)."""
        ended = subprocess.run(["timeout", str(START_SECONDS), *self.command()],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               check=False)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        return ended.stderr

    def grants(self):
        with ControlConnection(self.broker.control_socket).greeted() as control:
            return control.call(status={})["status"]["grants"]


class Damaged(StateTest):
    def damage(self, change):
        self.stop()
        content = bytearray(self.database.read_bytes())
        self.assertGreater(len(content), 4 * 4096)
        self.database.write_bytes(change(content))

    def check_refused(self):
        said = self.start_and_fail()
        self.assertIn(str(self.database), said)
        self.assertIn("restore it from a backup", said)

    def test_header(self):
        self.damage(lambda content: bytes(b ^ 0xFF for b in content[:100]) + content[100:])
        self.check_refused()

    def test_schema_in_the_first_page(self):
        self.damage(lambda content: content[:100] + bytes(b ^ 0x55 for b in content[100:4096]) +
                    content[4096:])
        self.check_refused()

    def test_pages_in_the_middle(self):
        def flip(content):
            middle = len(content) // 2 // 4096 * 4096
            for at in range(middle, middle + 64):
                content[at] ^= 0xFF
            return content
        self.damage(flip)
        self.check_refused()

    def test_every_single_page_overwritten(self):
        self.stop()
        whole = self.database.read_bytes()
        for page in range(len(whole) // 4096):
            with self.subTest(page=page):
                self.database.write_bytes(whole[:page * 4096] + b"\xa5" * 4096 +
                                          whole[(page + 1) * 4096:])
                self.check_refused()

    def test_truncated_in_the_middle(self):
        self.stop()
        whole = self.database.read_bytes()
        for keep in (0.3, 0.9):
            with self.subTest(keep):
                self.damage(lambda content, keep=keep: content[:int(len(content) * keep)])
                self.check_refused()
                self.database.write_bytes(whole)

    def test_truncated_to_a_header(self):
        self.damage(lambda content: content[:100])
        self.check_refused()

    def test_truncated_to_nothing(self):
        self.damage(lambda content: b"")
        self.check_refused()

    def test_something_else_in_its_place(self):
        self.damage(lambda content: b"this is a text file, of the length of a page\n" * 100)
        self.check_refused()

    def test_of_another_vm(self):
        other = Broker(root=None)
        self.addCleanup(other.stop)
        other.process.terminate()
        other.process.wait()
        self.damage(lambda content: (other.state_dir / f"{other.vm}.db").read_bytes())
        said = self.start_and_fail()
        self.assertIn(other.vm, said)

    def test_a_killed_brokers_whitelist_is_not_damage(self):
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.grants(), GRANTS)

    def test_a_torn_write_ahead_log_gives_the_last_whole_state(self):
        with ControlConnection(self.broker.control_socket).greeted() as control:
            control.grant(self.broker.write("last.img"), lease="late")
        self.broker.kill()
        log = pathlib.Path(f"{self.database}-wal")
        log.write_bytes(log.read_bytes()[:-10])
        self.broker.start()
        # Only a power cut without the fsync that came before the answer tears it; what is left of
        # the log is a state that was once in force.
        self.assertEqual(self.grants(), GRANTS)


class Unwritable(StateTest):
    def mount(self, *words):
        subprocess.run(["mount", *words], check=True)

    def test_state_directory_refuses_to_start_with_a_remedy(self):
        self.stop()
        state = str(self.broker.state_dir)
        self.mount("--bind", state, state)
        self.addCleanup(subprocess.run, ["umount", state], check=True)
        self.mount("-o", "remount,bind,ro", state)
        said = self.start_and_fail()
        self.assertIn(state, said)
        self.assertIn("Read-only file system", said)

    def test_full_disk_refuses_the_change_and_keeps_what_was_granted(self):
        self.stop()
        state = str(self.broker.state_dir)
        content = self.database.read_bytes()
        self.mount("-t", "tmpfs", "-o", f"size={len(content) + 300 * 1024},mode=0700", "none",
                   state)
        self.addCleanup(subprocess.run, ["umount", state], check=True)
        self.database.write_bytes(content)
        self.broker.start()
        free = os.statvfs(state)
        (self.broker.state_dir / "filler").write_bytes(b"x" * free.f_bsize * free.f_bavail)
        path = self.broker.write("one-more.img")
        with ControlConnection(self.broker.control_socket).greeted() as control:
            reply = control.grant(path, lease="late")
            self.assertNotEqual(reply["outcome"], OK)
            self.assertIn("disk is full", reply["reason"])
            self.assertEqual(control.call(status={})["status"]["grants"], GRANTS)
            (self.broker.state_dir / "filler").unlink()
            self.assertEqual(control.grant(path, lease="late")["outcome"], OK)
        self.broker.kill()
        self.broker.start()
        self.assertEqual(self.grants(), GRANTS + 1)
        self.stop()


class FirstStart(StateTest):
    def remove_state(self):
        for entry in self.broker.state_dir.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def await_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
                if probe.connect_ex(self.broker.control_socket) == 0:
                    return
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_killed_anywhere_is_simply_started_again(self):
        self.stop()
        self.remove_state()
        steps = killer.steps_of_start(self.command(), self.await_ready)
        self.assertGreater(len(steps), 10)
        for step in steps:
            with self.subTest(step):
                self.remove_state()
                killer.start_killed_before(self.command(), step)
                self.broker.start()
                try:
                    self.assertEqual(self.grants(), 0)
                    self.assertEqual(list(self.broker.state_dir.glob("*.new")), [])
                finally:
                    self.stop()


class SecondBroker(StateTest):
    def test_for_the_same_vm_is_refused_and_the_first_goes_on(self):
        said = self.start_and_fail()
        self.assertIn("another openhookd serves this VM already", said)
        self.assertEqual(self.grants(), GRANTS)
        with OpenConnection(self.broker.open_socket).greeted() as data:
            reply = data.open(str(self.broker.files / "0.img"))
            self.assertEqual(reply["outcome"], OK)
            os.close(reply["fd"])


if __name__ == "__main__":
    unittest.main()
