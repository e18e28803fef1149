# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real openhookd for tests, with directories of its own. Needs root, as the broker does."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid

READY_SECONDS = 20
# The tests are clients themselves: root may use both sockets, and so may the VM's own uid.
VM_UID = os.getuid() or 65501  # whose processes are nobody else's


def build_dir():
    """The build folder, from OPENHOOK_BUILD; tests/protocol/CMakeLists.txt sets it."""
    named = os.environ.get("OPENHOOK_BUILD")
    if not named:
        sys.exit("set OPENHOOK_BUILD to the build folder that holds bin/openhookd")
    return pathlib.Path(named)


class Broker:
    """One running openhookd. `files` is a directory for the files of its VM."""

    def __init__(self, root=None, vm=None, extra=()):
        self.owned = root is None
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="openhook-"))
        self.root.chmod(0o755)
        self.vm = vm or str(uuid.uuid4())
        self.run_dir = self.root / "run"
        self.state_dir = self.root / "state"
        self.files = self.root / "files"
        for directory in (self.run_dir, self.state_dir, self.files):
            directory.mkdir(exist_ok=True)
        self.extra = list(extra)
        self.process = None
        self.start()

    @property
    def open_socket(self):
        return str(self.run_dir / self.vm / "open.sock")

    @property
    def control_socket(self):
        return str(self.run_dir / self.vm / "control.sock")

    def start(self, under=()):
        """`under`: the words of a program that runs openhookd in its own place."""
        # A file, not a pipe: nobody reads it while the broker runs, and a full pipe would stop it.
        with open(self.root / "openhookd.log", "ab") as log:
            self.process = subprocess.Popen(
                [*under, build_dir() / "bin/openhookd", "--vm", self.vm, "--state-dir", self.state_dir,
                 "--run-dir", self.run_dir, "--vm-user", str(VM_UID),
                 "--peer-label", "unchecked", *self.extra],
                stdin=subprocess.DEVNULL, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._accepts():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("openhookd is not ready: " + self.log())
            time.sleep(0.01)

    def log(self):
        return (self.root / "openhookd.log").read_text(errors="replace")

    def _accepts(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            return probe.connect_ex(self.control_socket) == 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=READY_SECONDS)
        if self.owned:
            shutil.rmtree(self.root)

    def write(self, name, content=b"content"):
        """A file of the VM; its path."""
        path = self.files / name
        path.write_bytes(content)
        return str(path)
