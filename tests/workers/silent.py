# SPDX-License-Identifier: LGPL-2.1-or-later
"""A FUSE file system that falls silent when told to, and a broker that has a file on it."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "protocol"))

from broker import Broker, build_dir
from client import GRANT_READ_WRITE, OK, Closed, ControlConnection, OpenConnection

# Long enough that other requests fit in between on a busy machine.
IO_DEADLINE = 4
# For what is to happen at once, and for what is to happen in the end.
PROMPT, EVENTUALLY = IO_DEADLINE - 1, 30


def wait_until(condition, what):
    end = time.monotonic() + EVENTUALLY
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.02)


class SilentFs:
    """Mounted at `where`; what is written there is in `backing`."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="openhook-silent-"))
        self.root.chmod(0o755)
        self.backing, self.where = self.root / "backing", self.root / "mnt"
        self.control = self.backing / ".control"
        for directory in (self.backing, self.control, self.where):
            directory.mkdir()
        self.process = None
        self.mount()

    def mount(self):
        self.process = subprocess.Popen([build_dir() / "test-bin/silent_fs", self.backing, self.where],
                                        stdin=subprocess.DEVNULL)
        wait_until(lambda: os.path.ismount(self.where), "the mount")
        # minor of st_dev: the connection's name below /sys/fs/fuse/connections
        self.connection = os.minor(os.stat(self.where).st_dev)

    def write(self, name, content=b"content"):
        (self.backing / name).write_bytes(content)
        return str(self.where / name)

    def silence(self, *operations):
        for operation in operations:
            (self.control / f"silent-{operation}").touch()

    def speak(self):
        for mark in self.control.iterdir():
            mark.unlink()

    def stop(self):
        """The server takes no request any more."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.go_on()
        self.speak()
        subprocess.run(["umount", "-l", self.where], check=False, stderr=subprocess.DEVNULL)
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=False)


class SilentCase(unittest.TestCase):
    """One broker; a local file and one on the file system that can fall silent, both granted."""

    file_system = SilentFs
    io_deadline = IO_DEADLINE

    def setUp(self):
        self.fs = self.file_system()
        self.addCleanup(self.fs.end)
        self.broker = Broker(extra=["--io-deadline", str(self.io_deadline)])
        self.addCleanup(self.stop_broker)
        self.local = self.broker.write("local.img")
        self.remote = self.fs.write("remote.img")
        self.control = self.controller()
        for path in (self.local, self.remote):
            self.grant(path)

    def stop_broker(self):
        self.fs.go_on()
        self.fs.speak()
        self.broker.stop()

    def client(self):
        connection = OpenConnection(self.broker.open_socket, timeout=EVENTUALLY).greeted()
        self.addCleanup(connection.close)
        return connection

    def controller(self):
        connection = ControlConnection(self.broker.control_socket, timeout=EVENTUALLY).greeted()
        self.addCleanup(connection.close)
        return connection

    def grant(self, path, access=GRANT_READ_WRITE):
        reply = self.control.grant(path, access)
        self.assertEqual(reply["outcome"], OK, reply["reason"])

    def ask_for(self, path, **fields):
        """A client whose open of `path` is under way."""
        return self.ask(self.client(), path, **fields)

    @staticmethod
    def ask(client, path, **fields):
        client.send_request(open={"path": path, "access": 3, **fields})
        return client

    def open_works(self, path, client=None):
        reply = (client or self.client()).open(path, 3)
        self.assertEqual(reply["outcome"], OK, self.last_event())
        os.close(reply["fd"])

    def status(self):
        return self.ctl("status")["workers"]

    def ctl(self, *arguments):
        done = subprocess.run([build_dir() / "bin/openhookctl", "--socket",
                               self.broker.control_socket, *arguments, "--json"],
                              capture_output=True, text=True, timeout=EVENTUALLY, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def last_event(self, path=None):
        done = subprocess.run([build_dir() / "bin/openhookctl", "--socket",
                               self.broker.control_socket, "watch", "--no-follow", "--last", "100",
                               "--json"], capture_output=True, text=True, check=True)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return [one for one in events if path is None or one["path"] == path][-1]

    def everything_else_works(self):
        """Within a time in which the request that hangs cannot have been answered."""
        begin = time.monotonic()
        self.open_works(self.local)
        self.assertEqual(self.client().call(stat={"path": self.local})["outcome"], OK)
        self.ctl("status")
        self.ctl("list")
        self.ctl("explain", self.local)
        self.ctl("grant", self.broker.write("other.img"))
        self.assertLess(time.monotonic() - begin, self.io_deadline - 1)

    def workers(self):
        children = pathlib.Path(f"/proc/{self.broker.process.pid}/task/"
                                f"{self.broker.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def no_zombies(self):
        def state(pid):
            try:
                return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except FileNotFoundError:
                return "gone"
        wait_until(lambda: all(state(pid) != "Z" for pid in self.workers()), "no zombie")

    def holders(self):
        """Processes of the broker that have a file on the silent file system open."""
        found = []
        for pid in [self.broker.process.pid, *self.workers()]:
            for link in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    target = os.readlink(link)
                except FileNotFoundError:
                    continue
                if target.startswith(str(self.fs.where)):
                    found.append((pid, target))
        return found

    def broker_descriptors(self):
        return len(os.listdir(f"/proc/{self.broker.process.pid}/fd"))


__all__ = ["Closed", "EVENTUALLY", "IO_DEADLINE", "PROMPT", "SilentCase", "SilentFs", "wait_until"]
