# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU behind the monitor relay: the manager's socket is the relay's, and nobody calls openhookctl."""

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Optional

from lib import settings
from lib.access import Brokered
from lib.qemu import MonitoredProcess, Qemu, StartError, StorageDaemon, popen
from lib.qmp import Qmp, QmpClosed
from lib.workspace import Workspace


class Relayed(Brokered):
    """Brokered, with --qmp-relay."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self.monitor = workspace.root / "monitor.sock"

    def launcher(self) -> list[str]:
        return [*super().launcher(), "--qmp-relay", str(self.monitor)]


class RelayedProcess(MonitoredProcess):
    """The same manager as ever, on another socket."""

    @property
    def monitor(self) -> Path:
        assert isinstance(self._access, Relayed)
        return self._access.monitor

    def spawn(self, argv: list[str], monitor_arguments: list[str]) -> None:
        with open(self._log, "ab") as log:
            self._process = popen(self._access.wrap(argv), log, [])
        try:
            self._qmp = Qmp(self.connect())
        except (QmpClosed, ConnectionError) as error:
            self._process.wait(settings.DEADLINE)
            raise StartError(self.words) from error

    def adopt(self, process: "subprocess.Popen[bytes]") -> None:
        """A program that was started otherwise, to be ended like QEMU."""
        self._process = process

    def connect(self) -> socket.socket:
        """A connection to the relay, as soon as there is one."""
        deadline = time.monotonic() + settings.DEADLINE
        while True:
            ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            if ours.connect_ex(os.fsencode(self.monitor)) == 0:
                return ours
            ours.close()
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ConnectionError(f"no relay at {self.monitor}")
            time.sleep(0.01)

    def reconnect(self) -> None:
        """What a manager does whose monitor was closed."""
        self.qmp.close()
        self._qmp = Qmp(self.connect())

    def keeper(self) -> Optional[int]:
        """The relay's keeper: no child of QEMU, so it is found by the socket that it was given."""
        return next((pid for pid, parent in self._relays() if parent not in
                     {pid for pid, _ in self._relays()}), None)

    def worker(self) -> int:
        """The relay's worker; it may just be starting again."""
        deadline = time.monotonic() + settings.DEADLINE
        keeper = self.keeper()
        while time.monotonic() < deadline:
            for pid, parent in self._relays():
                if parent == keeper:
                    return pid
            time.sleep(0.01)
        raise AssertionError("the relay has no worker")

    def _relays(self) -> list[tuple[int, int]]:
        listed = subprocess.run(["/bin/ps", "-eo", "pid=,ppid=,args="], capture_output=True,
                                text=True, check=True).stdout
        found = []
        for line in listed.splitlines():
            pid, parent, words = line.split(None, 2)
            if "openhook-relay" in words and f"--listen={self.monitor}" in words:
                found.append((int(pid), int(parent)))
        return found


class RelayedQemu(RelayedProcess, Qemu):
    """A machine behind the relay."""


class RelayedStorageDaemon(RelayedProcess, StorageDaemon):
    """A storage daemon behind the relay."""
